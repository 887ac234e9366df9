// Loaded into NNI's manager before anything else (node --require). NNI 3.0 listens on every interface, without
// authentication, serves any readable file through /trial-file/<id>/..%2F…, and outlives the process that started it.
'use strict';
const http = require('http');
const net = require('net');

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

const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent) { process.exit(9); } }, 1000).unref();
