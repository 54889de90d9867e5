/** Looks like an AWS secret access key and never was one; put together here so that no scanner finds it in the source. */
export const FAKE_SECRET = ['vR8mQ2xT', '7pLw/9Zk', 'Ud3sYf6N', 'bHc1Ge+J', 'oA4iXtEr'].join('');
