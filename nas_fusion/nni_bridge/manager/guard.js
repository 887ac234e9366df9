// Loaded into NNI's manager before anything else (node --require). NNI 3.0 listens on every interface, without
// authentication, takes whoever connects for its tuner, serves any readable file through /trial-file/<id>/..%2F…,
// outlives the process that started it, and hands trials each other's parameters.
'use strict';
const { ChildProcess } = require('child_process');
const crypto = require('crypto');
const http = require('http');
const Module = require('module');
const net = require('net');
const os = require('os');

// What is for this file alone must not reach the manager's trials.
const take = (name) => {
    const value = process.env[name];
    delete process.env[name];
    return value;
};

// What brought this file here is not for the manager's own children.
const usersOptions = take('NASFUSION_NODE_OPTIONS');
if (usersOptions !== undefined) {
    process.env.NODE_OPTIONS = usersOptions;
}

// The manager's list of experiments; trials keep the user's home folder.
const listHome = take('NASFUSION_LIST_HOME');
if (listHome) {
    os.homedir = () => listHome;
}

const option = (name) => {
    const i = process.argv.findIndex((part) => part === `--${name}` || part.startsWith(`--${name}=`));
    return i < 0 ? '' : process.argv[i].split('=')[1] ?? process.argv[i + 1] ?? '';
};

// The server of NNI's remote service on another machine, which is for that machine's trials alone. It ends when it loses its
// manager, and not with the process that started it.
const isKeeper = take('NASFUSION_KEEPER') !== undefined;

// Where it listens ---------------------------------------------------------------------------------------------------

const LOOPBACK = '127.0.0.1';
const host = take('NASFUSION_UI_HOST') || LOOPBACK;
const managers = new WeakSet(); // servers of the manager itself; some services of NNI have more of their own
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
    const isPort = typeof args[0] === 'number' || (typeof args[0] === 'string' && /^\d+$/.test(args[0]));
    const port = isPort ? args[0] : args[0]?.port;
    if (isKeeper || String(port) === option('port')) {
        managers.add(this);
    }
    if (isPort && typeof args[1] !== 'string') {
        args.splice(1, 0, host);
    } else if (isPort) {
        args[1] = host;
    } else if (args[0] !== null && typeof args[0] === 'object' && args[0].port !== undefined) {
        args[0] = { ...args[0], host };
    }
    return listen.apply(this, args);
};

// Whom it answers -----------------------------------------------------------------------------------------------------
// - Trials, machines that run trials, and a tuner that the manager starts itself, on their own channel: its address has
//   a key that they alone are told.
// - Whoever knows the secret of the run (the process that started the manager): everything that NNI needs of it.
// - Anybody else on this machine, and NNI's own pages in a browser: reading. A page from elsewhere gets nothing.

const secret = take('NASFUSION_SECRET');
const channelSecret = crypto.randomBytes(32);
const keyOf = (path) => crypto.createHmac('sha256', channelSecret).update(path).digest('base64url');
const hash = (text) => crypto.createHash('sha256').update(String(text)).digest();
const areSame = (one, other) => crypto.timingSafeEqual(hash(one), hash(other));

// No escapes, no empty or dotted parts, no other forms of address: what is looked at here is what NNI will see.
const ADDRESS = /^((?:\/(?!\.{1,2}(?:[/?]|$))[\w.~-]+)*\/?)(?:\?([\x21-\x7e]*))?$/;
const READ = new RegExp('^/(?:' + [
    '(?:oview|detail|experiment|index\\.html)?/?',
    '[\\w-]+\\.(?:js|json|ico|png|svg|gif|map|txt)',
    '(?:static|icons|logs)/[\\w./-]+',
    'api/v1/nni/(?:version|check-status|job-statistics|export-data)',
    'api/v1/nni/experiment(?:-metadata|s-info|/imported-data)?',
    'api/v1/nni/trial-jobs(?:/\\w+)?',
    'api/v1/nni/metric-data(?:/\\w+|-latest/?|-range/\\d+/\\d+)?',
    'api/v1/nni/trial-file/\\w+/[\\w.-]+',
].join('|') + ')$');
const PAGE = /^\/(?!api\/|logs\/)/;
const WRITE = /^\/api\/v1\/nni\/(?:experiment|trial-jobs)(?:\/[\w-]+)?$/; // not /netron, /tensorboard
const CHANNEL = /^\/(?:env|platform)\//;
const TUNER = '/tuner';
const ONCE = new Set(['host', 'origin', 'authorization', 'sec-fetch-site', 'upgrade']);

const repeats = (rawHeaders) => {
    const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    return names.some((name, i) => ONCE.has(name) && names.indexOf(name) < i);
};
const isLoopback = (address) => /^(?:::ffff:)?127\.\d+\.\d+\.\d+$|^::1$/.test(address || '');
// A page from elsewhere whose name was made to point at this machine has that name in its Host header.
const isLocalName = (name) => /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/.test(name || '');
const isFromAPage = ({ headers }) => headers.origin !== undefined || headers['sec-fetch-site'] !== undefined;
// Opening NNI's pages by a link (in a notebook, in a mail) gives the page with the link nothing.
const opensAPage = ({ method, headers }, path) =>
    method === 'GET' && PAGE.test(path) && headers.upgrade === undefined && headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document';

const whyNotFromHere = (request, path) => {
    const { host: name, origin, 'sec-fetch-site': site } = request.headers;
    if (!isLoopback(request.socket.remoteAddress)) {
        return 'it comes from another machine';
    }
    if (!isLocalName(name)) {
        return 'it names another host';
    }
    if (origin !== undefined && origin.toLowerCase() !== `http://${name.toLowerCase()}`) {
        return 'it comes from a page of another origin';
    }
    if (site !== undefined && site !== 'same-origin' && site !== 'none' && !opensAPage(request, path)) {
        return 'it comes from a page of another site';
    }
    return null;
};

const prefix = option('url-prefix') && `/${option('url-prefix')}`;
let tuner = null;

const whyNotTheManager = (request, upgrade) => {
    const [, full, query] = ADDRESS.exec(request.url) || [];
    if (full === undefined || !full.startsWith(prefix)) {
        return 'its address has another form';
    }
    const path = full.slice(prefix.length) || '/';
    const key = new URLSearchParams(query).get('key');
    const hasKey = key !== null && areSame(key, keyOf(full));
    if (CHANNEL.test(path)) {
        return hasKey && !isFromAPage(request) ? null : 'it is for trials alone';
    }
    const problem = whyNotFromHere(request, path);
    if (problem !== null) {
        return problem;
    }
    const reads = !upgrade && (request.method === 'GET' || request.method === 'HEAD');
    if (reads && READ.test(path)) {
        return null;
    }
    if (upgrade ? path !== TUNER : !WRITE.test(path)) {
        return 'there is nothing, or nothing that is safe';
    }
    const hasSecret = secret !== undefined && areSame(request.headers.authorization, `Bearer ${secret}`);
    if (!hasSecret && !(upgrade && hasKey)) {
        return 'it needs the secret of the run; the pages only show';
    }
    return upgrade && tuner !== null ? 'there is a tuner' : null;
};

// Other servers of NNI's services in this process: no browser has to do with them.
const whyNotAService = (request) => {
    const climbs = !ADDRESS.test(request.url);
    const named = host !== LOOPBACK || isLocalName(request.headers.host);
    return climbs || !named || isFromAPage(request) ? 'it is for trials alone' : null;
};

const whyNot = (server, request, upgrade) => {
    if (repeats(request.rawHeaders)) {
        return 'a header is there twice';
    }
    return managers.has(server) ? whyNotTheManager(request, upgrade) : whyNotAService(request);
};

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, answer) {
    if (event !== 'request' && event !== 'upgrade') {
        return emit.apply(this, arguments);
    }
    const upgrade = event === 'upgrade';
    const problem = whyNot(this, request, upgrade);
    if (problem === null) {
        if (upgrade && managers.has(this) && !CHANNEL.test(request.url.slice(prefix.length))) {
            tuner = answer;
            answer.once('close', () => { tuner = null; });
        }
        return emit.apply(this, arguments);
    }
    const content = JSON.stringify({ error: `nas-fusion refuses this: ${problem}` });
    if (upgrade) {
        const head = ['HTTP/1.1 403 Forbidden', 'Connection: close', `Content-Length: ${content.length}`];
        answer.on('error', () => answer.destroy());
        answer.end(`${head.join('\r\n')}\r\n\r\n${content}`, () => answer.destroy());
    } else {
        answer.writeHead(403, { 'Content-Type': 'application/json', Connection: 'close' });
        answer.end(content);
    }
    return true;
};

// The addresses of the trials' channel, which NNI makes for them and for the machines that run them, get their key.
const loadUnsigned = Module._load;
Module._load = function (name) {
    const loaded = loadUnsigned.apply(this, arguments);
    if (/(?:^|[/\\])rest$/.test(name) && loaded.RestManager && !loaded.RestManager.guarded) {
        loaded.RestManager.guarded = true;
        const getFullUrl = loaded.RestManager.prototype.getFullUrl;
        loaded.RestManager.prototype.getFullUrl = function () {
            const url = getFullUrl.apply(this, arguments);
            return `${url}?key=${keyOf(new URL(url).pathname)}`;
        };
    }
    return loaded;
};

// What NNI's own modules do wrong -------------------------------------------------------------------------------------

// microsoft/nni#5726: parameters go to trials in the order in which trials ask, so with several at once, or behind one
// that dies before it asks, trials get others' parameters. A trial's own are set aside for it as soon as it has an id.
const load = Module._load;
Module._load = function (name) {
    const loaded = load.apply(this, arguments);
    if (/v3[/\\]compat$/.test(name) && !loaded.V3asV1.guarded) {
        loaded.V3asV1.guarded = true;
        const submit = loaded.V3asV1.prototype.submitTrialJob;
        loaded.V3asV1.prototype.submitTrialJob = async function (form) {
            const trial = await submit.call(this, form);
            const waiting = this.parameters.indexOf(form.hyperParameters.value);
            if (waiting >= 0) {
                this.parameters.splice(waiting, 1);
                this.allocatedParameters.set(trial.id, form.hyperParameters.value);
            }
            return trial;
        };
    }
    return loaded;
};

// The manager ends with its parent, and its trials with the manager.
const children = new Set();
const spawn = ChildProcess.prototype.spawn;
ChildProcess.prototype.spawn = function (options) {
    children.add(this);
    this.once('exit', () => children.delete(this));
    const withKey = (pair) =>
        /^NNI_TUNER_COMMAND_CHANNEL=.*\/tuner$/.test(pair) ? `${pair}?key=${keyOf(prefix + TUNER)}` : pair;
    return spawn.call(this, options?.envPairs ? { ...options, envPairs: options.envPairs.map(withKey) } : options);
};
process.on('exit', () => children.forEach((child) => child.kill()));
const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent && !isKeeper) { process.exit(9); } }, 1000).unref();
