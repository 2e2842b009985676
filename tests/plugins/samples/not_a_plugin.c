/* SPDX-License-Identifier: Apache-2.0
 *
 * A shared object that has nothing to do with Perdure.
 */
int answer(void);
int answer(void) { return 42; }
