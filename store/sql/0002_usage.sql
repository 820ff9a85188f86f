-- SPDX-License-Identifier: Apache-2.0
ALTER TABLE task ADD COLUMN usage TEXT;
