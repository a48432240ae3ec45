// A service for tests: what it does follows from version.txt and from what it is asked.
const { createServer } = require('node:http');
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');

const version = readFileSync(`${__dirname}/version.txt`, 'utf8').trim();
console.log(JSON.stringify({ level: 'info', message: 'starting', version }));
if (version.startsWith('crash')) {
  console.error('it cannot start');
  process.exit(3);
}
if (version.startsWith('job')) {
  console.log('the job is done');
  process.exit(Number(version.split(' ')[1] ?? 0));
}
const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://x');
  const json = (value, status = 200) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value));
  };
  if (pathname === '/health') {
    return json({ version }, version.startsWith('unhealthy') ? 500 : 200);
  }
  if (pathname === '/env') {
    return json(process.env);
  }
  if (pathname === '/headers') {
    return json(request.headers);
  }
  if (pathname === '/slow') {
    return setTimeout(() => json({ version, pid: process.pid }), Number(searchParams.get('ms')));
  }
  if (pathname === '/fail') {
    return json({ version }, 500);
  }
  if (pathname === '/hang-up') {
    return request.socket.destroy();
  }
  if (pathname === '/log') {
    console.log(searchParams.get('text'));
    return json({});
  }
  if (pathname === '/exit') {
    return process.exit(Number(searchParams.get('status')));
  }
  if (pathname === '/stream') {
    response.write('first\n');
    return request.on('data', (part) => response.write(part)).on('end', () => response.end());
  }
  if (pathname === '/burn') {
    const end = Date.now() + Number(searchParams.get('ms'));
    const timer = setInterval(() => {
      const pause = Date.now() + 20;
      while (Date.now() < pause);
      if (pause > end) {
        clearInterval(timer);
      }
    }, 40);
    return json({});
  }
  if (pathname === '/fill') {
    globalThis.filled = Array.from({ length: 400 }, () => Buffer.alloc(1 << 20, 1));
    return json({});
  }
  if (pathname === '/write') {
    try {
      require('node:fs').writeFileSync('/written', 'x');
      return json({ written: true });
    } catch (error) {
      return json({ written: false, code: error.code });
    }
  }
  if (pathname === '/status') {
    return json({ uid: process.getuid(), status: readFileSync('/proc/self/status', 'utf8') });
  }
  return json({ version, pid: process.pid });
});
// Echoes what comes over a WebSocket, in its simplest form: short text messages.
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'];
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`,
  );
  socket.on('data', (frame) => {
    if ((frame[0] & 15) === 8) {
      return socket.end(Buffer.from([0x88, 0]));
    }
    const length = frame[1] & 127;
    const mask = frame.subarray(2, 6);
    const text = frame.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4]);
    return socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
  });
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT ?? 3000), process.env.LISTEN_ADDRESS ?? '127.0.0.1');
process.on('SIGTERM', () => {
  console.log('stopping');
  if (version.startsWith('abrupt')) {
    process.exit(0);
  }
  server.close(() => process.exit(0));
  server.closeIdleConnections?.();
});
