# SPDX-License-Identifier: Apache-2.0
#
# perdure_add_plugin(NAME SOURCES a.c... MANIFEST plugin.toml)
#
# Makes NAME.so, which exports perdure_plugin_entry_1 alone and carries its manifest as the ELF
# section .perdure.plugin, so that it can be listed and inspected without running it. Works for
# projects in C, in C++ and in both.
include_guard(GLOBAL)

function(perdure_add_plugin name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "MANIFEST" "SOURCES")
    if(NOT arg_SOURCES OR NOT arg_MANIFEST OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "perdure_add_plugin(${name}): write "
            "perdure_add_plugin(${name} SOURCES FILE... MANIFEST plugin.toml)")
    endif()
    get_filename_component(manifest "${arg_MANIFEST}" ABSOLUTE)
    if(NOT EXISTS "${manifest}")
        message(FATAL_ERROR "perdure_add_plugin(${name}): there is no ${manifest}")
    endif()

    set(folder "${CMAKE_CURRENT_BINARY_DIR}/${name}.plugin")
    perdure_embed_manifest(embedded "${manifest}" "${folder}")
    set(script "${folder}/exports.map")
    file(CONFIGURE OUTPUT "${script}"
        CONTENT "{\n    global: perdure_plugin_entry_1;\n    local: *;\n};\n")

    add_library(${name} MODULE ${arg_SOURCES} "${embedded}")
    target_link_libraries(${name} PRIVATE perdure::sdk)
    set_target_properties(${name} PROPERTIES
        PREFIX "" SUFFIX ".so"
        POSITION_INDEPENDENT_CODE ON
        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
        LINK_DEPENDS "${script}")
    # Unique symbols would bind two plugins, or two versions of one, to each other.
    target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
    target_link_options(${name} PRIVATE
        -Wl,--no-undefined -Wl,-z,noexecstack "-Wl,--version-script=${script}")
endfunction()

# A source that holds the manifest's bytes, in a language the project has.
function(perdure_embed_manifest source manifest folder)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    set(suffix cpp)
    if("C" IN_LIST languages)
        set(suffix c)
    endif()
    # Once for the assembler, once more for the compiler in front of it.
    set(path "${manifest}")
    foreach(reader IN ITEMS assembler compiler)
        string(REPLACE "\\" "\\\\" path "${path}")
        string(REPLACE "\"" "\\\"" path "${path}")
    endforeach()
    set(made "${folder}/manifest.${suffix}")
    # Retained, so that no linker drops what nothing refers to.
    file(CONFIGURE OUTPUT "${made}" @ONLY CONTENT [[
__asm__(
    ".pushsection .perdure.plugin, \"aR\", @progbits\n"
    ".incbin \"@path@\"\n"
    ".popsection\n");
]])
    set_source_files_properties("${made}" PROPERTIES OBJECT_DEPENDS "${manifest}")
    set(${source} "${made}" PARENT_SCOPE)
endfunction()
