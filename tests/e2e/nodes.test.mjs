// SPDX-License-Identifier: Apache-2.0
// Three nodes on one PostgreSQL. While they work one is cut off, with a push under way, and one is
// switched off: the third does what they had in hand, everything ends once, and what the one that
// was cut off says too late is refused.
import { test } from 'node:test';
import { threeNodes } from './lib/three-nodes.mjs';

test('one node is cut off and one is killed in the middle of six tasks', () =>
  threeNodes({ tasks: 6, lease: '6s', boxes: 1, ms: 300_000 }));
