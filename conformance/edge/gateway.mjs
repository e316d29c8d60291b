// A reproduction of the routes that the existing edge agent speaks to, as the page on the protocol describes the original gateway's:
// 201 for whatever went well, errors in NestJS's shape, no check of an order of statuses. Written anew; nothing of the original is here.
// It is what edges are held against, so it keeps what it heard.

import { createHash, createHmac, generateKeyPairSync, randomBytes, sign, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const REASONS = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found' };
const IDLE = { targetVersion: null, release: null, upgradeStatus: 'IDLE', upgradeMessage: null };

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Gateway {
  constructor({ tls }) {
    this.pepper = 'test-pepper';
    this.tls = tls;
    this.tokens = new Map();
    this.workers = new Map();
    this.artifacts = new Map();
    this.heard = [];
    // Every token and credential that was ever given out, to be looked for where none may be.
    this.secrets = [];
    this.keys = generateKeyPairSync('ed25519');
    this.pem = this.keys.publicKey.export({ type: 'spki', format: 'pem' });
    // What goes wrong on purpose: 'truncate' once, 'endless', 'slow', 'down'.
    this.fault = null;
  }

  async start() {
    this.api = http.createServer((request, response) => this.answer(request, response));
    this.files = https.createServer(this.tls, (request, response) => this.serve(request, response));
    await new Promise((done) => this.api.listen(0, '127.0.0.1', done));
    await new Promise((done) => this.files.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.api.address().port}`;
    this.filesUrl = `https://localhost:${this.files.address().port}`;
  }

  async stop() {
    this.api.closeAllConnections();
    this.files.closeAllConnections();
    await Promise.all([this.api, this.files].map((server) => new Promise((done) => server.close(done))));
  }

  hash(secret) {
    return createHmac('sha256', this.pepper).update(secret).digest();
  }

  secret(kind) {
    const prefix = randomBytes(4).toString('hex');
    const secret = randomBytes(24).toString('hex');
    this.secrets.push(secret);
    return { text: `${kind}_${prefix}_${secret}`, prefix, hash: this.hash(secret) };
  }

  token(maxUses = 1) {
    const { text, prefix, hash } = this.secret('etr_live');
    this.tokens.set(prefix, { hash, maxUses, used: 0 });
    return text;
  }

  // An artifact for this machine, signed as the original pipeline signs: over the text of its checksum.
  publish(version, path, name) {
    const bytes = readFileSync(path);
    const checksum = createHash('sha256').update(bytes).digest('hex');
    const signature = sign(null, Buffer.from(checksum, 'ascii'), this.keys.privateKey).toString('base64');
    this.artifacts.set(name, bytes);
    return {
      version,
      platform: 'linux',
      arch: process.arch,
      installType: 'service',
      url: `${this.filesUrl}/artifacts/${name}`,
      checksum,
      signature,
      signatureAlgorithm: 'ed25519',
      signingKeyId: 'test',
      sizeBytes: bytes.length,
    };
  }

  target(workerId, release) {
    const worker = this.workers.get(workerId);
    worker.release = release;
    worker.status = 'UPGRADE_PENDING';
    worker.message = null;
  }

  answer(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const send = (status, body) => {
        const text = JSON.stringify(body);
        response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text), 'keep-alive': 'timeout=65' });
        response.end(text);
      };
      try {
        if (this.fault === 'down') throw new Refusal(503, 'Service Unavailable');
        const body = JSON.parse(Buffer.concat(chunks).toString() || '{}');
        send(201, this.route(request, body));
      } catch (error) {
        const status = error.status ?? 500;
        send(status, status === 500 ? { statusCode: 500, message: 'Internal server error' } : { message: error.message, error: REASONS[status], statusCode: status });
      }
    });
  }

  route(request, body) {
    const path = request.url;
    if (request.method !== 'POST') throw new Refusal(404, `Cannot ${request.method} ${path}`);
    if (path === '/internal/edges/register') return this.register(request, body);
    const worker = this.authenticated(request);
    if (path === '/internal/edges/connectivity') return this.connectivity(worker, body);
    if (path === '/internal/edges/tasks/next') return { success: true, task: null };
    throw new Refusal(404, `Cannot POST ${path}`);
  }

  register(request, body) {
    const given = body.token ?? /^Bearer\s+(.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const parts = /^etr_live_([a-z0-9]{8})_([a-f0-9]{48})$/.exec(given);
    const token = parts && this.tokens.get(parts[1]);
    if (!token || !timingSafeEqual(token.hash, this.hash(parts[2])) || token.used >= token.maxUses) {
      throw new Refusal(401, 'Invalid registration token');
    }
    token.used += 1;
    if (!body.displayName?.trim()) throw new Error('as the original');
    const workerId = `c${randomBytes(12).toString('hex')}`;
    const { text, prefix, hash } = this.secret('wk_live');
    this.workers.set(workerId, { workerId, prefix, hash, deviceNumber: body.deviceNumber, status: 'IDLE', message: null, version: body.edgeVersion });
    return { workerId, credential: text, deviceNumber: body.deviceNumber };
  }

  authenticated(request) {
    const parts = /^Bearer wk_live_([a-z0-9]{8})_([a-f0-9]{48})$/.exec(request.headers.authorization ?? '');
    const worker = parts && [...this.workers.values()].find((worker) => worker.prefix === parts[1]);
    if (!worker || !timingSafeEqual(worker.hash, this.hash(parts[2]))) throw new Refusal(401, 'Invalid worker credential');
    return worker;
  }

  connectivity(worker, body) {
    if (body.workerId !== worker.workerId) throw new Refusal(403, 'workerId does not match authenticated worker');
    if (!body.deviceNumber) throw new Refusal(400, 'deviceNumber is required');
    if (body.deviceNumber !== worker.deviceNumber) throw new Refusal(403, 'deviceNumber does not match worker');
    this.heard.push({ worker: worker.workerId, version: body.currentVersion, status: body.upgradeStatus ?? null, reason: body.reason ?? null, state: body.runtimeState, error: body.lastError ?? null });
    worker.version = body.currentVersion ?? worker.version;
    if (body.upgradeStatus) {
      worker.status = body.upgradeStatus;
      worker.message = body.reason ?? worker.message;
    }
    if (!worker.release) return { ...IDLE, upgradeStatus: worker.status };
    return { targetVersion: worker.release.version, release: worker.release, upgradeStatus: worker.status, upgradeMessage: worker.message };
  }

  serve(request, response) {
    const bytes = this.artifacts.get(request.url.split('/').pop());
    if (!bytes) {
      response.writeHead(404).end();
      return;
    }
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const from = range ? Number(range[1]) : 0;
    this.ranges = (this.ranges ?? 0) + (range ? 1 : 0);
    const headers = { 'content-type': 'application/octet-stream' };
    if (this.fault === 'endless') {
      response.writeHead(200, headers);
      const more = () => !response.destroyed && response.write(Buffer.alloc(65536), more);
      more();
      return;
    }
    headers['content-length'] = bytes.length - from;
    if (range) headers['content-range'] = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    response.writeHead(range ? 206 : 200, headers);
    if (this.fault === 'truncate') {
      this.fault = null;
      response.write(bytes.subarray(from, from + Math.floor((bytes.length - from) / 2)), () => response.destroy());
      return;
    }
    response.end(bytes.subarray(from));
  }
}
