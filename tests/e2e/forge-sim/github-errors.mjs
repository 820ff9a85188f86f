// SPDX-License-Identifier: Apache-2.0
// GitHub's 422 with its list of errors.
import { HttpError } from './router.mjs';

export const DOCS = 'https://docs.github.com/rest';

export function invalid(resource, field, code, message) {
  const body = {
    message: 'Validation Failed',
    documentation_url: DOCS,
    status: '422',
    errors: [{ resource, field, code, ...(message && { message }) }],
  };
  return new HttpError(422, 'Validation Failed', { body });
}
