// Loaded into NNI's manager before anything else (node --require). NNI 3.0 listens on every interface, without
// authentication, serves any readable file through /trial-file/<id>/..%2F…, outlives the process that started it, and
// hands trials each other's parameters.
'use strict';
const { ChildProcess } = require('child_process');
const http = require('http');
const Module = require('module');
const net = require('net');
const os = require('os');

// What brought this file here is not for the manager's own children.
if (process.env.NASFUSION_NODE_OPTIONS !== undefined) {
    process.env.NODE_OPTIONS = process.env.NASFUSION_NODE_OPTIONS;
    delete process.env.NASFUSION_NODE_OPTIONS;
}

// The manager's list of experiments; trials keep the user's home folder.
const listHome = process.env.NASFUSION_LIST_HOME;
if (listHome) {
    os.homedir = () => listHome;
}

const host = process.env.NASFUSION_UI_HOST || '127.0.0.1';
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
    const isPort = typeof args[0] === 'number' || (typeof args[0] === 'string' && /^\d+$/.test(args[0]));
    if (isPort && typeof args[1] !== 'string') {
        args.splice(1, 0, host);
    } else if (isPort) {
        args[1] = host;
    } else if (args[0] !== null && typeof args[0] === 'object' && args[0].port !== undefined) {
        args[0] = { ...args[0], host };
    }
    return listen.apply(this, args);
};

// A page from elsewhere whose name was made to point at this machine has that name in its Host header.
const isLocal = (name) => /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(name || '');
const climbs = (url) => {
    try {
        return decodeURIComponent(url).split(/[/\\?]/).includes('..');
    } catch (error) {
        return true;
    }
};
const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, response) {
    if (event === 'request' && (climbs(request.url) || (host === '127.0.0.1' && !isLocal(request.headers.host)))) {
        response.statusCode = 403;
        response.end('refused');
        return true;
    }
    return emit.apply(this, arguments);
};

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
ChildProcess.prototype.spawn = function () {
    children.add(this);
    this.once('exit', () => children.delete(this));
    return spawn.apply(this, arguments);
};
process.on('exit', () => children.forEach((child) => child.kill()));
const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent) { process.exit(9); } }, 1000).unref();
