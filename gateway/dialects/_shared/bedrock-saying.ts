import type { Saying } from '../../ports/dialect.ts';
import { eventMessage, headerBytes } from './event-stream.ts';

/** Bedrock's exceptions by status (https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html). */
const EXCEPTIONS: Readonly<Record<number, string>> = {
  401: 'UnrecognizedClientException',
  402: 'ServiceQuotaExceededException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  500: 'InternalServerException',
  502: 'ServiceUnavailableException',
  503: 'ServiceUnavailableException',
  504: 'ModelTimeoutException',
};

/** An error body that the AWS SDKs read without the header that usually names it. */
export function errorBody({ code, status, message, rule, reason }: Saying): string {
  const type = EXCEPTIONS[status] ?? 'ValidationException';
  return JSON.stringify({ __type: type, code: type, message, tollgate: { code, rule, reason } });
}

/** The exception that ends a stream; of the ones a stream may have, those that clients do not retry for what we refuse. */
export function exceptionMessage({ code, status, message, rule, reason }: Saying): Uint8Array {
  const type = status >= 500 ? 'modelStreamErrorException' : 'validationException';
  const headers = headerBytes({
    ':exception-type': type,
    ':content-type': 'application/json',
    ':message-type': 'exception',
  });
  return eventMessage(headers, new TextEncoder().encode(JSON.stringify({ message, tollgate: { code, rule, reason } })));
}

/** The language has no sign of life that every client skips. */
export const noKeepAlive: Uint8Array = new Uint8Array(0);
