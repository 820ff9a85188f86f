// SPDX-License-Identifier: Apache-2.0
export class GitlabCheck {
  request() {
    return [];
  }

  reply() {
    return [];
  }
}
