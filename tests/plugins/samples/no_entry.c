/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin that forgot its one symbol.
 */
int nothing_here(void);

int nothing_here(void) { return 0; }
