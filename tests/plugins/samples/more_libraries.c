/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin that needs a library which no host has.
 */
#include <perdure/plugins/abi/perdure_plugin.h>

unsigned ZSTD_versionNumber(void);

const perdure_plugin_api* perdure_plugin_entry_1(const perdure_host_api* host) {
    static const perdure_plugin_api api = {.size = sizeof api};
    return host != 0 && ZSTD_versionNumber() != 0 ? &api : 0;
}
