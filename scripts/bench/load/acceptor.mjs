/** Runs in a gateway's machine: takes TCP connections and hangs up. */
import net from 'node:net';

const server = net.createServer((socket) => {
  socket.on('error', () => {});
  socket.destroy();
});
server.listen(Number(process.argv[2]), '0.0.0.0', 1024, () => process.stdout.write('ready\n'));
