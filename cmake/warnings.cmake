# SPDX-License-Identifier: Apache-2.0
#
# The warnings every file is compiled with.

add_library(perdure_warnings INTERFACE)
target_compile_options(perdure_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow)
if(PERDURE_WARNINGS_ARE_ERRORS)
    target_compile_options(perdure_warnings INTERFACE -Werror)
endif()
