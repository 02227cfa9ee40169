/**
 * Floods AMI with user events until its input ends, as a manager who is logged in can, and tells how many there were:
 * `node ami-flood.mjs PORT USER SECRET`.
 */
import { connect } from 'node:net';

const [port, username, secret] = process.argv.slice(2);
const BATCH = 200;
const EVENT = 'Action: UserEvent\r\nUserEvent: SallyportAuthorize\r\nAccount: 1001\r\nAddress: 10.77.0.2\r\n\r\n';

const socket = connect({ host: '127.0.0.1', port: Number(port) });
let heard = '';
let answers = 0;
socket.setEncoding('latin1').on('data', (text) => {
  const lines = (heard + text).split('\r\n');
  heard = lines.pop();
  answers += lines.filter((line) => line === 'Response: Success').length;
});

/** Resolves when so many actions have been answered. */
async function answered(number) {
  while (answers < number) {
    if (socket.destroyed) throw new Error('AMI has hung up');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

socket.write(`Action: Login\r\nUsername: ${username}\r\nSecret: ${secret}\r\nEvents: off\r\n\r\n`);
await answered(1);
let isOver = false;
process.stdin.resume().on('end', () => {
  isOver = true;
});
while (!isOver) {
  const before = answers;
  socket.write(EVENT.repeat(BATCH));
  await answered(before + BATCH);
  process.stdout.write(`${answers - 1}\n`);
}
socket.end();
