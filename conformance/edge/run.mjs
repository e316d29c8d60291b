// Edges against a reproduction of the original gateway:
//
//   node run.mjs --agent target/…/landfall-agent [--typescript DIR]
//
// 1. Our own agent speaks the existing protocol: enrolls, is upgraded to SUCCEEDED over a broken-off download, takes a crashing
//    version and one that hangs back (ROLLED_BACK), refuses what is not signed, and is found well after `kill -9` of its watchdog.
// 2. With --typescript, the product's own agent, unmodified (DIR holds apps/edge-agent/dist and node_modules, built as docs/edge.md
//    says), enrolls by its own prompts and is upgraded through `legacy-launcher` to SUCCEEDED; a version that crashes is ROLLED_BACK.
//
// Ends with 1 when anything is not so, and says what was heard.

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Gateway } from './gateway.mjs';

const options = Object.fromEntries(process.argv.slice(2).join(' ').split('--').filter(Boolean).map((part) => part.trim().split(' ')));
const agent = resolve(options.agent ?? 'target/ci/landfall-agent');
const root = mkdtempSync(join(tmpdir(), 'landfall-edge-'));
const running = new Set();
let failures = 0;

// An authority, and a certificate that it signed for this machine: one that signs itself is refused by what stands on webpki.
function tls() {
  const [authorityKey, authority, key, cert] = ['ca-key.pem', 'ca.pem', 'key.pem', 'cert.pem'].map((name) => join(root, name));
  const made = (...args) => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', ...args], { stdio: 'ignore' });
  made('-keyout', authorityKey, '-out', authority, '-subj', '/CN=edges');
  made('-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-CA', authority, '-CAkey', authorityKey, '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE');
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true, ...options });
  child.said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { child.said += data; });
  running.add(child);
  child.on('exit', () => { child.ended = true; });
  return child;
}

function end(child, signal = 'SIGKILL') {
  try {
    process.kill(-child.pid, signal);
  } catch {}
  running.delete(child);
}

// Runs a program to its end: what it said, and its code. The gateway lives in this process, so nothing here may wait for one synchronously.
async function ended(program, args, input) {
  const child = start(program, args);
  child.stdin.end(input);
  const code = await new Promise((done) => child.on('close', done));
  running.delete(child);
  return { code, said: child.said };
}

async function until(what, seconds, probe) {
  const began = Date.now();
  while (Date.now() - began < seconds * 1000) {
    if (await probe()) return (Date.now() - began) / 1000;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`not within ${seconds} s: ${what}`);
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function check(condition, what) {
  if (!condition) throw new Error(what);
}

// What a program does that is well: it says so where its health check looks, and stays.
const WELL = 'touch alive; exec sleep 1000';

// A release of a payload: an archive with one program and its health check.
function payload(version, script) {
  const directory = join(root, `payload-${version}`);
  mkdirSync(join(directory, 'bin'), { recursive: true });
  writeFileSync(join(directory, 'bin/kiosk'), `#!/bin/sh\n${script}\n`);
  chmodSync(join(directory, 'bin/kiosk'), 0o755);
  writeFileSync(join(directory, 'bin/health'), '#!/bin/sh\ntest -e alive\n');
  chmodSync(join(directory, 'bin/health'), 0o755);
  writeFileSync(join(directory, 'VERSION'), version);
  writeFileSync(join(directory, 'weight'), Buffer.alloc(300000, version));
  const path = join(root, `kiosk-${version}.tar.gz`);
  execFileSync('tar', ['-czf', path, '-C', directory, '.']);
  return path;
}

// `[status, status, …]` of a worker since a place in what was heard.
const statuses = (gateway, since) => gateway.heard.slice(since).map((heard) => heard.status).filter(Boolean).filter((status, at, all) => status !== all[at - 1]);

async function step(name, what) {
  const began = Date.now();
  try {
    await what();
    console.log(`ok    ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  ${name}: ${error.message}`);
  }
}

async function own(gateway) {
  const home = join(root, 'own');
  const key = join(root, 'gateway.pem');
  const ca = join(root, 'ca.pem');
  writeFileSync(key, gateway.pem);
  const token = gateway.token();
  const enroll = (given, more = []) => {
    const args = ['enroll', '--root', home, '--server', gateway.url, '--plain-http', '--protocol', 'gateway', '--gateway-key', key, '--ca', ca, '--name', 'Own 1', '--token-stdin', '--payload', 'kiosk', '--program', 'bin/kiosk', '--settle-seconds', '1', '--health-command', 'bin/health', '--confirm-seconds', '6', ...more];
    return ended(agent, args, given);
  };
  let watchdog;
  const watchdogs = [];
  const run = () => {
    watchdog = start(agent, ['run', '--root', home]);
    watchdogs.push(watchdog);
  };
  const logs = () => watchdogs.map((watchdog) => watchdog.said).join('');
  const worker = () => [...gateway.workers.values()].find((worker) => worker.deviceNumber?.startsWith('edge-own-1-'));
  const settings = () => JSON.parse(readFileSync(join(home, 'agent.json'), 'utf8'));

  await step('own: a wrong token is refused in words, and changes nothing', async () => {
    const { code, said } = await enroll('etr_live_00000000_000000000000000000000000000000000000000000000000');
    check(code === 1, `it ended with ${code}`);
    check(said.includes('landfall edge token create') && said.includes('landfall edge token revoke'), said);
    check(!existsSync(join(home, 'agent.json')), 'it left settings');
  });
  await step('own: enrolls, and sends heartbeats', async () => {
    const { code, said } = await enroll(token);
    check(code === 0, said);
    writeFileSync(join(home, 'agent.json'), JSON.stringify({ ...settings(), pollSeconds: 1 }));
    run();
    await until('a heartbeat', 20, () => gateway.heard.some((heard) => heard.worker === worker().workerId));
  });
  await step('own: a used token enrolls nobody else', async () => {
    const { code, said } = await enroll(token, ['--again']);
    check(code === 1 && said.includes('the enrollment token is not taken'), `${code}: ${said}`);
    check(gateway.workers.size === 1, 'it was taken twice');
  });
  await step('own: is upgraded over a download that breaks off (SUCCEEDED)', async () => {
    const since = gateway.heard.length;
    gateway.fault = 'truncate';
    gateway.target(worker().workerId, gateway.publish('1.1.0', payload('1.1.0', WELL), 'kiosk-1.1.0.tar.gz'));
    await until('SUCCEEDED', 60, () => statuses(gateway, since).includes('SUCCEEDED'));
    const heard = statuses(gateway, since);
    check(JSON.stringify(heard) === JSON.stringify(['DOWNLOADING', 'VERIFYING', 'RESTARTING', 'SUCCEEDED']), heard.join());
    check(gateway.ranges >= 1, 'it was not resumed by a range');
    await until('version 1.1.0', 10, () => worker().version === '1.1.0');
  });
  for (const [version, how, script] of [['1.2.0', 'crashes', 'exit 3'], ['1.2.1', 'is killed', 'kill -9 $$'], ['1.2.2', 'crashes after a moment', 'sleep 0.5; exit 1'], ['1.2.3', 'hangs', 'exec sleep 1000']]) {
    await step(`own: a version that ${how} at its start is ROLLED_BACK within a minute`, async () => {
      const since = gateway.heard.length;
      gateway.target(worker().workerId, gateway.publish(version, payload(version, script), `kiosk-${version}.tar.gz`));
      await until('ROLLED_BACK', 60, () => statuses(gateway, since).includes('ROLLED_BACK'));
      await until('version 1.1.0', 10, () => gateway.heard.at(-1).version === '1.1.0');
      check(readFileSync(join(home, 'payload/journal.json'), 'utf8').includes('1.1.0'), 'the journal forgot it');
    });
  }
  await step('own: what is not signed is not touched (FAILED, in words)', async () => {
    const since = gateway.heard.length;
    const release = gateway.publish('1.3.0', payload('1.3.0', WELL), 'kiosk-1.3.0.tar.gz');
    const other = gateway.publish('1.1.0', join(root, 'kiosk-1.1.0.tar.gz'), 'kiosk-other.tar.gz');
    gateway.target(worker().workerId, { ...release, signature: other.signature });
    await until('FAILED', 30, () => statuses(gateway, since).includes('FAILED'));
    const failed = gateway.heard.slice(since).filter((heard) => heard.status === 'FAILED');
    check(failed[0].reason.includes('not signed'), failed[0].reason);
    await new Promise((done) => setTimeout(done, 4000));
    const again = gateway.heard.slice(since).filter((heard) => heard.status === 'FAILED').length;
    check(again === 1, `it was told ${again} times`);
  });
  await step('own: an endless download ends at the signed size', async () => {
    const since = gateway.heard.length;
    gateway.fault = 'endless';
    gateway.target(worker().workerId, gateway.publish('1.4.0', payload('1.4.0', WELL), 'kiosk-1.4.0.tar.gz'));
    await until('FAILED', 40, () => statuses(gateway, since).includes('FAILED'));
    gateway.fault = null;
    check(gateway.heard.slice(since).some((heard) => heard.reason?.includes('more than')), 'not in words');
  });
  await step('own: kill -9 of the watchdog in the middle leaves a version that goes on', async () => {
    const since = gateway.heard.length;
    gateway.target(worker().workerId, gateway.publish('1.5.0', payload('1.5.0', WELL), 'kiosk-1.5.0.tar.gz'));
    await until('DOWNLOADING', 30, () => statuses(gateway, since).includes('DOWNLOADING'));
    process.kill(watchdog.pid, 'SIGKILL');
    await new Promise((done) => setTimeout(done, 300));
    run();
    await until('SUCCEEDED', 60, () => statuses(gateway, since).includes('SUCCEEDED'));
    const sleeping = execFileSync('sh', ['-c', `ls -l /proc/[0-9]*/cwd 2>/dev/null | grep -c "${home}/payload/" || true`], { encoding: 'utf8' });
    check(sleeping.trim() === '1', `${sleeping.trim()} payloads run`);
  });
  await step('own: says nothing secret', async () => {
    const told = (text) => gateway.secrets.some((secret) => text.includes(secret));
    check(told(readFileSync(join(home, 'credential.json'), 'utf8')), 'this looks for nothing');
    check(!told(logs()), 'a log has a token or credential');
    for (const process of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      for (const file of ['cmdline', 'environ']) {
        check(!told(readIfThere(`/proc/${process}/${file}`)), `${file} of process ${process} has a token or credential`);
      }
    }
  });
  if (failures) console.log(logs().split('\n').slice(-40).join('\n'));
  if (watchdog) end(watchdog);
}

// A release of the existing agent, packed as its own pipeline packs: dist and package.json below one directory, no modules.
function release(directory, version, spoil) {
  const name = `luckyplans-edge-agent-v${version}-linux-x64-service`;
  const stage = join(root, 'releases', name);
  mkdirSync(stage, { recursive: true });
  cpSync(join(directory, 'apps/edge-agent/dist'), join(stage, 'dist'), { recursive: true });
  cpSync(join(directory, 'apps/edge-agent/package.json'), join(stage, 'package.json'));
  if (spoil) writeFileSync(join(stage, 'dist/main.js'), spoil);
  const path = join(root, `${name}.tar.gz`);
  execFileSync('tar', ['-czf', path, '-C', join(root, 'releases'), name]);
  return [path, `${name}.tar.gz`];
}

async function typescript(gateway, directory) {
  const home = join(root, 'typescript');
  const at = (...parts) => join(home, ...parts);
  mkdirSync(at('package'), { recursive: true });
  // As it is installed by hand: its package, with modules within reach.
  for (const part of ['dist', 'package.json']) cpSync(join(directory, 'apps/edge-agent', part), at('package', part), { recursive: true });
  symlinkSync(join(directory, 'node_modules'), at('package/node_modules'));
  const environment = { PATH: process.env.PATH, HOME: home, EDGE_VERSION: '1.0.0', EDGE_AGENT_ENABLE_ONBOARDING: '1', EDGE_AGENT_POLL_INTERVAL_MS: '300', NODE_EXTRA_CA_CERTS: join(root, 'ca.pem'), EDGE_AGENT_UPGRADE_TRUSTED_PUBLIC_KEY_PEM: gateway.pem };
  const worker = () => [...gateway.workers.values()].find((worker) => worker.deviceNumber?.startsWith('edge-old-1-'));
  await step('typescript: the unmodified agent enrolls by its prompts and sends heartbeats', async () => {
    const onboarding = start(process.execPath, [at('package/dist/main.js')], { env: environment });
    for (const [prompt, line] of [['Display name', 'Old 1'], ['Server URL', gateway.url], ['Enrollment token', gateway.token()]]) {
      await until(prompt, 20, () => onboarding.said.includes(prompt));
      onboarding.stdin.write(`${line}\n`);
    }
    await until('a heartbeat', 20, () => worker() && gateway.heard.some((heard) => heard.worker === worker().workerId));
    end(onboarding);
  });
  const launch = () => start(agent, ['legacy-launcher', '--package', at('package'), '--node', process.execPath, '--releases', at('releases'), '--active-version', at('active-version'), '--config', at('.luckyplans/edge-agent/config.json'), '--launcher-state', at('state'), '--confirm-seconds', '10'], { env: environment });
  let launcher = launch();
  for (const version of ['1.1.0', '1.2.0']) {
    await step(`typescript: upgrades to ${version} through the launcher (SUCCEEDED)`, async () => {
      const since = gateway.heard.length;
      gateway.target(worker().workerId, gateway.publish(version, ...release(directory, version)));
      await until('SUCCEEDED', 60, () => statuses(gateway, since).includes('SUCCEEDED'));
      const heard = statuses(gateway, since);
      check(JSON.stringify(heard) === JSON.stringify(['DOWNLOADING', 'VERIFYING', 'RESTARTING', 'SUCCEEDED']), heard.join());
      await until(`version ${version}`, 10, () => gateway.heard.at(-1).version === version && gateway.heard.at(-1).status === null);
    });
  }
  for (const [version, how, spoil] of [['1.3.0', 'crashes', 'process.exit(1)'], ['1.4.0', 'hangs', 'setInterval(() => {}, 1000)']]) {
    await step(`typescript: a version that ${how} at its start is ROLLED_BACK within a minute`, async () => {
      const since = gateway.heard.length;
      gateway.target(worker().workerId, gateway.publish(version, ...release(directory, version, spoil)));
      await until('ROLLED_BACK', 60, () => statuses(gateway, since).includes('ROLLED_BACK'));
      gateway.workers.get(worker().workerId).release = null;
      await until('version 1.2.0', 10, () => gateway.heard.at(-1).version === '1.2.0');
    });
  }
  await step('typescript: kill -9 of the launcher leaves one agent, which goes on', async () => {
    process.kill(launcher.pid, 'SIGKILL');
    launcher = launch();
    const since = gateway.heard.length;
    await until('heartbeats', 30, () => gateway.heard.length > since + 5);
    const count = execFileSync('sh', ['-c', `grep -al "${home}.*dist/main.js" /proc/[0-9]*/cmdline 2>/dev/null | xargs -r -n1 dirname | while read p; do tr "\\0" " " < $p/cmdline | grep -c "^${process.execPath}"; done | grep -c 1 || true`], { encoding: 'utf8' });
    check(count.trim() === '1', `${count.trim()} agents run`);
  });
  if (failures) console.log(launcher.said.split('\n').slice(-40).join('\n'));
  end(launcher);
}

const gateway = new Gateway({ tls: tls() });
try {
  await gateway.start();
  await own(gateway);
  if (options.typescript) await typescript(gateway, resolve(options.typescript));
  else console.log('skipped: the TypeScript agent, for --typescript DIR was not given');
} finally {
  for (const child of running) end(child);
  execFileSync('sh', ['-c', `for p in /proc/[0-9]*; do case "$(readlink $p/cwd)$(tr '\\0' ' ' < $p/cmdline)" in *${root}*) case $p in /proc/$$|/proc/${process.pid}) ;; *) kill -9 \${p#/proc/} ;; esac ;; esac; done 2>/dev/null; true`]);
  await gateway.stop();
  rmSync(root, { recursive: true, force: true });
}
console.log(failures ? `${failures} failed` : 'all as it must be');
process.exit(failures ? 1 : 0);
