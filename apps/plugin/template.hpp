// SPDX-License-Identifier: Apache-2.0
//
// What `perdure plugin new` writes: the files of a project, with places for its name.
//
// Promise     @NAME@, @ID@, @SUFFIX@ (c, cpp), @LANGUAGE@ (C, CXX) and @STANDARD@ are replaced; a
//             text has no other places. tests/system/plugin_new.py builds and tests each of them.
// Threads     Constants.
#pragma once

#include <string_view>

namespace perdure::apps {

/// What differs between the kinds of projects.
struct plugin_template {
    std::string_view kind;  ///< As people type it.
    std::string_view toml;  ///< Behind the head that all have.
    std::string_view in_c;
    std::string_view in_cpp;
    std::string_view test;   ///< Behind test_host: its cases and its main.
    std::string_view stage;  ///< Between stage_test_head and stage_test_foot.
    std::string_view about;  ///< For README.md.
};

extern const plugin_template yield_template;
extern const plugin_template sink_template;
extern const plugin_template detector_template;

extern const std::string_view project_cmake;
extern const std::string_view project_toml;
extern const std::string_view project_readme;
/// A tiny host in what C11 and C++17 have in common.
extern const std::string_view test_host;

/// Tests on plugins/kit/, for where the whole package is installed.
extern const std::string_view stage_test_head;
extern const std::string_view stage_test_foot;
extern const std::string_view yield_stage_test;
extern const std::string_view sink_stage_test;
extern const std::string_view detector_stage_test;

}  // namespace perdure::apps
