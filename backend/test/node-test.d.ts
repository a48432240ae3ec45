import 'node:test';

// The service may use only what Node.js 16 has, so its types are the installed ones; the tests run
// on newer versions.
declare module 'node:test' {
  type Hook = (work: () => Promise<void>) => void;
  export const before: Hook;
  export const after: Hook;
  export const beforeEach: Hook;
  export const afterEach: Hook;
}
