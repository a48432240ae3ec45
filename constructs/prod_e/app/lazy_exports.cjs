// Loaded into jsii's Node process before anything else. The entry module of a provider's package
// requires a module for each of its resources, over two thousand for AWS; here each one is required
// when it is first asked for. A module of another shape is compiled as it stands, with one warning.
"use strict";

const fs = require("node:fs");
const Module = require("node:module");
const threads = require("node:worker_threads");

// The process that Python starts launches another one, in which jsii loads packages. Python learns
// by a file that the first has come so far, and its version; the second inherits no such variable.
const isLauncher = process.env.PROD_E_PRELOADED !== undefined;
if (isLauncher) {
  fs.writeFileSync(process.env.PROD_E_PRELOADED, process.version);
  delete process.env.PROD_E_PRELOADED;
  tellAsJsiiDoes(process.stderr);
}

// The launcher wraps what the second process writes into JSON, which Python unwraps. What it writes
// itself would be shown as Python writes bytes: b'...'.
function tellAsJsiiDoes(stream) {
  const write = stream.write;
  stream.write = function (chunk, ...rest) {
    return write.call(this, isWrapped(chunk) ? chunk : wrapped(chunk), ...rest);
  };
}

function isWrapped(chunk) {
  return String(chunk).length === 0 || /^\{"(stderr|stdout)":"[^"]*"\}\n$/.test(String(chunk));
}

function wrapped(chunk) {
  return `${JSON.stringify({ stderr: Buffer.from(chunk).toString("base64") })}\n`;
}

// jsii keeps packages in a cache, with their version and a hash between name and content.
const ENTRY = /[\\/]@cdktf[\\/]provider-[^\\/]+[\\/](?:[^\\/]+[\\/]){0,2}lib[\\/]index\.js$/;
const EAGER_EXPORT = /^exports\.(\w+) = require\("(\.\/[^"]+)"\);$/gm;

function warn(found) {
  if (threads.isMainThread && !isLauncher) {
    process.stderr.write(`prod-e: synthesis will be slow: ${found}\n`);
  }
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

// jsii indexes a package in a worker, so that later runs need not parse its assembly of a hundred
// megabytes. A run that ends before the worker does would leave every run as slow as the first.
const INDEX = /^\.jsii\.runtime\.v\d+\.json$/;
const LONGEST_WAIT_MS = 4000; // Python ends the process after five seconds

const indexed = [];
const { Worker } = threads;
threads.Worker = class extends Worker {
  constructor(filename, options) {
    super(filename, options);
    const folder = options?.workerData?.packageDir;
    if (/runtime-index-worker\.js$/.test(String(filename)) && folder) {
      indexed.push(folder);
    }
  }
};

function isIndexed(folder) {
  try {
    return fs.readdirSync(folder).some((name) => INDEX.test(name));
  } catch {
    return true; // the folder is gone, and with it the reason to wait
  }
}

process.on("exit", () => {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const deadline = Date.now() + LONGEST_WAIT_MS;
  while (Date.now() < deadline && !indexed.every(isIndexed)) {
    Atomics.wait(clock, 0, 0, 50);
  }
});
