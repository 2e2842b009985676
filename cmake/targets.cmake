# SPDX-License-Identifier: Apache-2.0
#
# How a folder becomes a library, a test program a CTest, and all of it an installed package.
# File lists are explicit: a source that no list names is refused by tests/tidy.py.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

# The same flags whatever the build type, without NDEBUG: assertions stay on in all of them. Debug
# information names functions and lines, as a stack trace does; all of it took a sixth of the build.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
add_compile_options(-msse4.2)
if(PERDURE_SLOW_CHECKS)
    add_compile_definitions(PERDURE_SLOW_CHECKS=1 _GLIBCXX_ASSERTIONS=1)
endif()

find_program(perdure_ccache ccache)
if(perdure_ccache AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # What ccache must be told to keep files that begin with precompiled headers.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros "${perdure_ccache}")
endif()

# Everybody, users included, writes <perdure/shm/region.hpp>: inside the tree a link makes it so.
set(perdure_include "${PROJECT_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${perdure_include}")
file(CREATE_LINK "${PROJECT_SOURCE_DIR}" "${perdure_include}/perdure" SYMBOLIC)

# perdure_library(folder SOURCES a.cpp... HEADERS a.hpp... [PUBLIC lib...] [PRIVATE lib...])
#
# Makes perdure_<folder>, installed, and perdure_<folder>_rigged: the same sources with crash points
# and planted bugs compiled in (shm/crash_point.hpp). A rigged library links rigged ones only. What
# includes neither is compiled once for both; a source that has begun to is told to run cmake again.
function(perdure_library folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE")
    set(headers ${arg_HEADERS})
    list(TRANSFORM headers PREPEND "${perdure_include}/perdure/${folder}/")

    set(twins "")
    set(shared "")
    foreach(source IN LISTS arg_SOURCES)
        file(STRINGS ${source} found REGEX "crash_point\\.hpp|PERDURE_RIG" LIMIT_COUNT 1)
        if(found)
            list(APPEND twins ${source})
        else()
            list(APPEND shared ${source})
        endif()
    endforeach()
    add_library(perdure_${folder}_shared OBJECT ${shared})
    target_include_directories(perdure_${folder}_shared PRIVATE "${perdure_include}")
    target_compile_features(perdure_${folder}_shared PRIVATE cxx_std_20)
    target_compile_definitions(perdure_${folder}_shared PRIVATE PERDURE_COMPILED_FOR_BOTH=1)
    target_link_libraries(perdure_${folder}_shared
        PRIVATE perdure_warnings ${arg_PUBLIC} ${arg_PRIVATE})
    perdure_precompile(perdure_${folder}_shared perdure_headers)

    foreach(twin IN ITEMS "" "_rigged")
        set(target "perdure_${folder}${twin}")
        add_library(${target} STATIC ${twins} $<TARGET_OBJECTS:perdure_${folder}_shared>)
        target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${perdure_include}>")
        target_compile_features(${target} PUBLIC cxx_std_20)
        perdure_precompile(${target} perdure_headers)
        target_link_libraries(${target} PRIVATE "$<BUILD_INTERFACE:perdure_warnings>")
        foreach(scope IN ITEMS PUBLIC PRIVATE)
            set(libraries ${arg_${scope}})
            if(twin)
                list(TRANSFORM libraries REPLACE "^(perdure_.*)$" "\\1_rigged")
            endif()
            target_link_libraries(${target} ${scope} ${libraries})
        endforeach()
    endforeach()

    target_sources(perdure_${folder} PUBLIC FILE_SET HEADERS
        BASE_DIRS "${perdure_include}" FILES ${headers})
    set_target_properties(perdure_${folder} PROPERTIES EXPORT_NAME ${folder})
    set_property(GLOBAL APPEND PROPERTY perdure_libraries perdure_${folder})

    target_compile_definitions(perdure_${folder}_rigged PUBLIC PERDURE_RIG=1)
    if(NOT PERDURE_TESTS)
        set_target_properties(perdure_${folder}_rigged PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
endfunction()

# perdure_test(name LABELS label... SOURCES a.cpp... [LIBS lib...] [ARGS arg...] [TIMEOUT seconds]
#              [SERIAL] [TWIN])
#
# The target fast_tests builds those labelled fast. TWIN: there is a test name_rigged as well, the
# same with the rigged libraries; planted bugs (perdure_planted) need it.
# LABELS: fast (all of them under a minute), crash, fault, fuzz, system, install, model, plugins,
# soak, torture.
# A test finds the command in $PERDURE_BIN and the rigged one in $PERDURE_RIGGED_BIN.
function(perdure_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL;TWIN" "TIMEOUT" "LABELS;SOURCES;LIBS;ARGS")
    if(NOT arg_LABELS)
        message(FATAL_ERROR "perdure_test(${name}): a test needs LABELS")
    endif()

    if(arg_TWIN)
        perdure_compile_once(${name} arg_SOURCES ${arg_LIBS} Boost::unit_test_framework)
        if(TARGET ${name}_objects)
            perdure_precompile(${name}_objects perdure_test_headers)
        endif()
        perdure_rigged(rigged ${arg_LIBS})
        perdure_test(${name}_rigged LABELS fault SOURCES ${arg_SOURCES} LIBS ${rigged}
            TIMEOUT "${arg_TIMEOUT}")
    endif()
    perdure_test_program(${name} SOURCES ${arg_SOURCES} LIBS ${arg_LIBS})
    add_test(NAME ${name} COMMAND ${name}_test ${arg_ARGS})
    if("fast" IN_LIST arg_LABELS)
        add_dependencies(fast_tests ${name}_test)
    endif()
    perdure_test_properties(${name} "${arg_LABELS}" "${arg_TIMEOUT}" "${arg_SERIAL}")
endfunction()

# perdure_compile_once(name sources lib...): what takes no notice of crash points is compiled for
# both twins of a test; `sources` becomes the objects.
function(perdure_compile_once name sources)
    foreach(source IN LISTS ${sources})
        file(STRINGS ${source} found REGEX "crash_point\\.hpp|PERDURE_RIG" LIMIT_COUNT 1)
        if(found)
            return()
        endif()
    endforeach()
    add_library(${name}_objects OBJECT ${${sources}})
    target_compile_definitions(${name}_objects PRIVATE PERDURE_COMPILED_FOR_BOTH=1)
    target_link_libraries(${name}_objects PRIVATE perdure_warnings ${ARGN})
    set(${sources} $<TARGET_OBJECTS:${name}_objects> PARENT_SCOPE)
endfunction()

# The rigged twins of our libraries; others stay what they are.
function(perdure_rigged twins)
    list(TRANSFORM ARGN REPLACE "^(perdure_.*)$" "\\1_rigged")
    set(${twins} ${ARGN} PARENT_SCOPE)
endfunction()

# perdure_test_library(name SOURCES a.cpp... LIBS lib...): what tests share, and name_rigged.
function(perdure_test_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
    perdure_compile_once(${name} arg_SOURCES ${arg_LIBS})
    perdure_rigged(rigged ${arg_LIBS})
    add_library(${name} STATIC ${arg_SOURCES})
    add_library(${name}_rigged STATIC ${arg_SOURCES})
    target_link_libraries(${name} PUBLIC ${arg_LIBS} PRIVATE perdure_warnings)
    target_link_libraries(${name}_rigged PUBLIC ${rigged} PRIVATE perdure_warnings)
endfunction()

# perdure_test_program(name SOURCES a.cpp... [LIBS lib...]): the program alone.
function(perdure_test_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBS")
    add_executable(${name}_test ${arg_SOURCES} $<TARGET_OBJECTS:perdure_test_main>)
    perdure_precompile(${name}_test perdure_test_headers)
    target_link_libraries(${name}_test PRIVATE
        perdure_warnings ${arg_LIBS} Boost::unit_test_framework Threads::Threads)
endfunction()

# perdure_planted(name PROGRAM test [PLANT bug] [CASE pattern] [RUNS count])
#
# A rigged test's program with a bug planted, the name's unless told: it must fail and say so. CASE
# is the test case that must catch it. RUNS is for what is a matter of moments: as often until then.
function(perdure_planted name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROGRAM;PLANT;CASE;RUNS" "")
    set(command $<TARGET_FILE:${arg_PROGRAM}_test>)
    if(arg_CASE)
        list(APPEND command "--run_test=${arg_CASE}")
    endif()
    set(words "failures? (is|are) detected in the test module")
    if(arg_RUNS)
        # Without a semicolon, at which a list would be divided.
        set(until_caught [[for i in $(seq "$0")
            do "$@" >/dev/null 2>&1 || exec echo "caught in run $i"
        done]])
        list(PREPEND command sh -c "${until_caught}" ${arg_RUNS})
        set(words "caught in run [0-9]")
    endif()
    if(NOT arg_PLANT)
        set(arg_PLANT ${name})
    endif()
    add_test(NAME planted_${name} COMMAND ${command})
    perdure_test_properties(planted_${name} fault 300 OFF)
    set_property(TEST planted_${name} APPEND PROPERTY ENVIRONMENT "PERDURE_PLANT=${arg_PLANT}")
    set_property(TEST planted_${name} PROPERTY PASS_REGULAR_EXPRESSION "${words}")
endfunction()

# What every test has, a program's or a script's alike.
function(perdure_test_properties name labels timeout serial)
    if(NOT timeout)
        set(timeout 300)
    endif()
    set(bin "${PROJECT_BINARY_DIR}/bin")
    set(environment
        "PERDURE_BIN=${bin}/perdure"
        "PERDURE_RIGGED_BIN=${bin}/perdure_rigged"
        "PERDURE_SOURCE=${PROJECT_SOURCE_DIR}"
        "PERDURE_BUILD=${PROJECT_BINARY_DIR}"
        "ASAN_OPTIONS=detect_leaks=1:abort_on_error=1"
        "UBSAN_OPTIONS=print_stacktrace=1")
    set_tests_properties(${name} PROPERTIES
        LABELS "${labels}" TIMEOUT ${timeout} ENVIRONMENT "${environment}")
    # What takes long begins first, so that nothing is waited for alone at the end.
    if(labels MATCHES "crash|install|model")
        set_tests_properties(${name} PROPERTIES COST 100)
    endif()
    if(serial)
        set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
    endif()
endfunction()

# perdure_torture(name [SERIAL]): the test once more, to its full counts.
function(perdure_torture name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "" "")
    add_test(NAME ${name}_torture COMMAND ${name}_test -- --torture)
    perdure_test_properties(${name}_torture torture 3600 "${arg_SERIAL}")
endfunction()

# perdure_tree_plugin(name SOURCES a.cpp... MANIFEST plugin.toml): perdure_add_plugin() for a plugin
# of this tree: with our warnings and, as its authors build it, without the sanitizers, whose
# libraries no host has.
function(perdure_tree_plugin name)
    perdure_add_plugin(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE perdure_warnings)
    target_compile_options(${name} PRIVATE -fno-sanitize=all)
    target_link_options(${name} PRIVATE -fno-sanitize=all)
    # clang-tidy stops at flags of gcc's alone, and finds those of a neighbour.
    set_target_properties(${name} PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
endfunction()

# perdure::perdure: all folders behind one name, the same inside the tree and installed.
function(perdure_install)
    get_property(libraries GLOBAL PROPERTY perdure_libraries)
    add_library(perdure_perdure INTERFACE)
    add_library(perdure::perdure ALIAS perdure_perdure)
    set_target_properties(perdure_perdure PROPERTIES EXPORT_NAME perdure)
    target_link_libraries(perdure_perdure INTERFACE ${libraries})

    set(package "${CMAKE_INSTALL_LIBDIR}/cmake/perdure")
    install(TARGETS ${libraries} perdure_perdure EXPORT perdure_targets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
    install(EXPORT perdure_targets NAMESPACE perdure:: DESTINATION "${package}")
    if(TARGET perdure)
        install(TARGETS perdure
            RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT command)
        # Where the command and the kit for plugins' tests look for it.
        install(TARGETS perdure_plugin_host
            RUNTIME DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/perdure" COMPONENT command)
    endif()

    # The face users include, one step above the folders.
    set(face "${PROJECT_BINARY_DIR}/face")
    file(WRITE "${face}/perdure/world.hpp"
        "// SPDX-License-Identifier: Apache-2.0\n#pragma once\n#include <perdure/core/world.hpp>\n")
    target_include_directories(perdure_perdure INTERFACE "$<BUILD_INTERFACE:${face}>")
    if(EXISTS "${PROJECT_SOURCE_DIR}/core/world.hpp")
        install(FILES "${face}/perdure/world.hpp"
            DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/perdure")
    endif()

    configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/config.cmake.in"
        "${PROJECT_BINARY_DIR}/perdure-config.cmake" INSTALL_DESTINATION "${package}")
    write_basic_package_version_file("${PROJECT_BINARY_DIR}/perdure-config-version.cmake"
        COMPATIBILITY SameMinorVersion)
    install(FILES "${PROJECT_BINARY_DIR}/perdure-config.cmake"
        "${PROJECT_BINARY_DIR}/perdure-config-version.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/FindSoci.cmake" DESTINATION "${package}")
    perdure_install_sdk()
endfunction()

# The package perdure_sdk: headers and perdure_add_plugin(), without any library.
function(perdure_install_sdk)
    set(package "${CMAKE_INSTALL_LIBDIR}/cmake/perdure_sdk")
    install(TARGETS perdure_sdk EXPORT perdure_sdk_targets
        FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT sdk)
    install(EXPORT perdure_sdk_targets NAMESPACE perdure:: DESTINATION "${package}" COMPONENT sdk)
    configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/sdk_config.cmake.in"
        "${PROJECT_BINARY_DIR}/perdure_sdk-config.cmake" INSTALL_DESTINATION "${package}")
    write_basic_package_version_file("${PROJECT_BINARY_DIR}/perdure_sdk-config-version.cmake"
        COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
    install(FILES "${PROJECT_BINARY_DIR}/perdure_sdk-config.cmake"
        "${PROJECT_BINARY_DIR}/perdure_sdk-config-version.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/perdure_plugin.cmake"
        DESTINATION "${package}" COMPONENT sdk)
endfunction()
