/* SPDX-License-Identifier: Apache-2.0 */
/* git_scene - the repositories and the forge that repo's own tests use, for this folder's too. */
#include "tests/unit/repo/backend.c"
#include "tests/unit/repo/backend_lfs.c"
#include "tests/unit/repo/scene.c"
