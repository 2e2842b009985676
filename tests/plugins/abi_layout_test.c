/* SPDX-License-Identifier: Apache-2.0
 *
 * The binary interface as a C11 compiler sees it, for abi_layout_test.cpp.
 */
#include "abi_layout.h"

_Static_assert(__STDC_VERSION__ >= 201112L, "plugins are written in C11");

const struct abi_line* abi_in_c(size_t* count);

const struct abi_line* abi_in_c(size_t* count) {
    *count = sizeof abi_lines / sizeof abi_lines[0];
    return abi_lines;
}
