/** Runs in the gateway's machine: the guarded service, which sends every datagram back. */
import dgram from 'node:dgram';

const socket = dgram.createSocket('udp4');
socket.on('message', (data, from) => socket.send(data, from.port, from.address, () => {}));
socket.bind(Number(process.argv[2]), () => process.stdout.write('ready\n'));
