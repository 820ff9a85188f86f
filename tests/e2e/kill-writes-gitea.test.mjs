// SPDX-License-Identifier: Apache-2.0
// Each role is killed with -9 directly before and directly after each write to a gitea, whose answer
// is lost: everything is there once.
import { killAtAllWrites } from './lib/kills.mjs';

killAtAllWrites({ dialect: 'gitea' });
