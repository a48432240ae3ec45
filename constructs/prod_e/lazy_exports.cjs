// Loaded into jsii's Node process before anything else. The entry module of a provider's package
// requires a module for each of its resources, over two thousand for AWS; here each one is required
// when it is first asked for. A module of another shape is compiled as it stands, with one warning.
"use strict";

const Module = require("node:module");

const ENTRY = /[\\/]@cdktf[\\/]provider-[^\\/]+[\\/]lib[\\/]index\.js$/;
const EAGER_EXPORT = /^exports\.(\w+) = require\("(\.\/[^"]+)"\);$/gm;

function warn(found) {
  const text = `prod-e: synthesis will be slow: ${found}\n`;
  // jsii reads lines of this form from its child's stderr and prints what they hold.
  const line = { stderr: Buffer.from(text).toString("base64") };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

function lazily(content, filename) {
  let count = 0;
  const lazy = content.replace(EAGER_EXPORT, (_, name, path) => {
    count += 1;
    return `Object.defineProperty(exports, "${name}", { enumerable: true, configurable: true, get: () => require("${path}") });`;
  });
  if (count === 0) {
    warn(`no export of the known form in ${filename}`);
  }
  return lazy;
}

const compile = Module.prototype._compile;
if (typeof compile === "function") {
  Module.prototype._compile = function (content, filename, ...rest) {
    const source = ENTRY.test(filename) ? lazily(String(content), filename) : content;
    return compile.call(this, source, filename, ...rest);
  };
} else {
  warn(`Node ${process.version} compiles modules in another way`);
}
