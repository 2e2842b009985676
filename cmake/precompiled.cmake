# SPDX-License-Identifier: Apache-2.0
#
# Headers of others, read once for many files: half of a cold build was reading them. Our own are
# not among them, so nothing depends on more than it includes; the ci preset goes without.
option(PERDURE_PRECOMPILED "Read the headers of others once for many files" ON)

# What the commands read beside the usual ones.
set(perdure_headers_of_commands <boost/json.hpp> <fmt/format.h>)

# perdure_precompiled(name [HEADERS <header>...] [LIBS lib...]): what targets with the same compile
# options may share; the headers of these libraries beside the usual ones.
function(perdure_precompiled name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LIBS")
    if(NOT PERDURE_PRECOMPILED)
        return()
    endif()
    set(nothing "${PROJECT_BINARY_DIR}/${name}.cpp")
    file(GENERATE OUTPUT "${nothing}" CONTENT "")
    add_library(${name} OBJECT "${nothing}")
    target_link_libraries(${name} PRIVATE Boost::headers ${arg_LIBS})
    target_precompile_headers(${name} PRIVATE ${arg_HEADERS}
        <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring> <filesystem>
        <functional> <map> <memory> <optional> <set> <span> <string> <string_view> <thread>
        <unordered_map> <vector> <boost/describe.hpp> <boost/mp11.hpp>
        <boost/interprocess/mapped_region.hpp> <boost/system/result.hpp>
        <boost/system/system_error.hpp>)
endfunction()

# perdure_precompile(target name): lets the target begin with them.
function(perdure_precompile target name)
    if(PERDURE_PRECOMPILED)
        target_precompile_headers(${target} REUSE_FROM ${name})
    endif()
endfunction()
