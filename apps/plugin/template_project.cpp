// SPDX-License-Identifier: Apache-2.0
#include <perdure/apps/plugin/template.hpp>

namespace perdure::apps {

const std::string_view project_cmake = R"(cmake_minimum_required(VERSION 3.25)
project(@NAME@ LANGUAGES @LANGUAGE@)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
add_compile_options(-Wall -Wextra)

find_package(perdure_sdk 0.1 REQUIRED CONFIG)

# The plugin: @NAME@.so with plugin.toml inside.
perdure_add_plugin(@NAME@ SOURCES src/@NAME@.@SUFFIX@ MANIFEST plugin.toml)
target_compile_features(@NAME@ PRIVATE @STANDARD@)

# Its test. With the whole package (and a C++ compiler) the plugin is played in worlds of their own,
# judged by what judges it in a keeper; with the headers alone it is called by a tiny host.
enable_testing()
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
    find_package(perdure 0.1 QUIET CONFIG)
endif()
if(perdure_FOUND)
    message(STATUS "@NAME@_test: in worlds of perdure's test kit, ${perdure_DIR}")
    add_executable(@NAME@_test test/@NAME@_stage_test.cpp)
    target_link_libraries(@NAME@_test PRIVATE perdure::plugins)
else()
    message(STATUS "@NAME@_test: in a tiny host, for the package perdure is not there as a whole")
    add_executable(@NAME@_test test/@NAME@_test.@SUFFIX@)
    target_compile_features(@NAME@_test PRIVATE @STANDARD@)
    target_link_libraries(@NAME@_test PRIVATE perdure::sdk ${CMAKE_DL_LIBS})
endif()
add_dependencies(@NAME@_test @NAME@)
add_test(NAME @NAME@ COMMAND @NAME@_test $<TARGET_FILE:@NAME@>)
set_tests_properties(@NAME@ PROPERTIES
    ENVIRONMENT "PERDURE_PLUGIN_HOST=${PERDURE_PLUGIN_HOST}")
)";

const std::string_view project_toml =
    R"(# What this plugin is and what it may do. What is not listed here is refused.
id = "@ID@"
version = "0.1.0"
abi = "1.0"
)";

const std::string_view project_readme = R"(# @NAME@

@ABOUT@

```
cmake -B build
cmake --build build
ctest --test-dir build --output-on-failure
perdure plugin inspect build/@NAME@.so
perdure plugin validate build/@NAME@.so
perdure plugin load WORLD build/@NAME@.so
```

CMake finds the package `perdure_sdk` in the system's places; for another one add
`-DCMAKE_PREFIX_PATH=/where/perdure/is`.

| file | what it is |
|---|---|
| `plugin.toml` | id, version, when it is called, what it may do, its configuration |
| `src/@NAME@.@SUFFIX@` | the plugin |
| `test/@NAME@_stage_test.cpp` | its test in worlds of its own, where Perdure is installed whole |
| `test/@NAME@_test.@SUFFIX@` | its test where only the headers are, with a tiny host |

Before you give it to others, choose an id in plugin.toml that begins with a domain of your own.
)";

}  // namespace perdure::apps
