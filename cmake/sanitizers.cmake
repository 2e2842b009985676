# SPDX-License-Identifier: Apache-2.0
#
# One sanitizer a build tree, for every target in it: a library built without the one its caller
# has would be a blind spot, not a speed-up.

if(PERDURE_SANITIZE STREQUAL "address")
    set(perdure_sanitizers address,undefined)
elseif(PERDURE_SANITIZE STREQUAL "thread")
    set(perdure_sanitizers thread)
elseif(NOT PERDURE_SANITIZE STREQUAL "")
    message(FATAL_ERROR "PERDURE_SANITIZE is \"${PERDURE_SANITIZE}\"; it may be empty, "
        "\"address\" or \"thread\".")
endif()

# Test programs are compiled once and run for a second: half of ./dev test would be their optimiser
# and their debug records. The libraries they test are compiled in full.
set(perdure_test_options -O1 -g1)

if(perdure_sanitizers)
    # -O0: sanitized code spends its time in the checks, and compiles in half the time of -O1.
    add_compile_options(-O0 -g1 -fsanitize=${perdure_sanitizers} -fno-sanitize-recover=all)
    # gcc 12 sees uninitialised members in its own std::function once the checks are woven in.
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    set(perdure_test_options)
    add_link_options(-fsanitize=${perdure_sanitizers})
endif()

# Beside the sanitizers, so that libFuzzer sees which branches an input took.
if(PERDURE_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR NOT perdure_sanitizers)
        message(FATAL_ERROR "PERDURE_FUZZ needs clang and PERDURE_SANITIZE; the preset fuzz has "
            "both.")
    endif()
    add_compile_options(-O1 -fsanitize=fuzzer-no-link)
endif()
