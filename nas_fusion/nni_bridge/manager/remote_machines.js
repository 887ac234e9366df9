// Loaded into NNI's manager behind guard.js where trials run on machines that it reaches by ssh. NNI 3.0 believes any
// machine that answers there, keeps passwords in its database and shows them in its pages, makes the machine install
// whatever version of NNI an index has, wants to be reached from it over the network, unencrypted, leaves its server there
// open to everybody, cannot send an empty folder, and keeps to itself what went wrong.
'use strict';
const fs = require('fs');
const Module = require('module');
const net = require('net');
const path = require('path');
const { promisify } = require('util');

const take = (name) => {
    const value = process.env[name];
    delete process.env[name];
    return value;
};

const { machines, forward, why, version } = JSON.parse(take('NASFUSION_MACHINES'));
const LOOPBACK = '127.0.0.1';
const GUARD = path.join(__dirname, 'guard.js');
const KEEPALIVE_MS = 10000;
const port = Number(process.argv[process.argv.indexOf('--port') + 1]);

const isMachine = ({ host, port: number, user }) => (one) => one.host === host && one.port === number && one.user === user;
const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`;
const nameOf = (config) => `${config.user}@${config.host}:${config.port}`;
const explained = (error, config) => {
    if (error.level === 'client-authentication') {
        return `it does not let this user in (${config.sshKeyFile ? 'sshKeyFile' : 'password'})`;
    }
    return /Host denied/.test(error.message) ? 'its key is not the one that known_hosts has' : error.message;
};
const giveReason = (error) => fs.writeFileSync(why, error.message);

// Ssh: to a machine that is known, and back from it ----------------------------------------------------------------------

const connect = async function () {
    const { Client } = require(require.resolve('ssh2', { paths: [process.cwd()] }));
    const { host, port: number, user, sshKeyFile } = this.config;
    const { password, passphrase, keys, algorithms } = machines.find(isMachine(this.config));
    const client = new Client();
    const options = {
        host, port: number, username: user, password, passphrase, keepaliveInterval: KEEPALIVE_MS,
        privateKey: sshKeyFile ? await fs.promises.readFile(sshKeyFile, 'utf8') : undefined,
        algorithms: { serverHostKey: algorithms },
        hostVerifier: (key) => keys.includes(key.toString('base64')),
    };
    await new Promise((resolve, reject) => {
        client.once('ready', resolve);
        client.on('error', reject); // also of later errors: without a listener they end the manager
        client.once('close', () => reject(new Error('it closed the connection')));
        client.connect(options);
    });
    this.client = client;
    client.on('tcp connection', (_, accept) => {
        const [there, here] = [accept(), net.connect(port, LOOPBACK)];
        for (const [one, other] of [[there, here], [here, there]]) {
            one.on('error', () => other.destroy());
            one.on('close', () => other.destroy());
        }
        there.pipe(here).pipe(there);
    });
    this.wayBack = forward ? await promisify(client.forwardIn.bind(client))(LOOPBACK, 0) : null;
};

// A machine: NNI as it is there, its server behind our guard -------------------------------------------------------------

// NNI's scripts are run as files: as modules they would first import all of NNI, which takes seconds.
const ASK = quoted("import importlib.metadata as m, importlib.util as u; print(m.version('nni'), u.find_spec('nni').origin)");
const start = async function () {
    await this.ssh.connect();
    this.python = await this.findPython();
    const { code, stdout, stderr } = await this.ssh.exec(`${this.python} -c ${ASK}`);
    const [, found, origin] = /^(\S+) (.+)$/.exec(code === 0 ? stdout.trim() : '') || [];
    if (found !== version) {
        const instead = found || stderr.trim().split('\n').pop() || 'none';
        throw new Error(`its ${this.python} must have NNI ${version}, and has: ${instead} (pythonPath says where it lies)`);
    }
    this.scripts = path.posix.join(path.posix.dirname(origin), 'tools', 'nni_manager_scripts');
    await this.launchTrialKeeperDaemon();
    this.env = { ...(await this.trialKeeper.start()), host: this.config.host };
};

const launch = (globals) => async function () {
    const script = (name) => `${this.python} ${quoted(path.posix.join(this.scripts, `${name}.py`))}`;
    const { experimentId, logLevel } = globals.args;
    const folder = await this.ssh.run(`${script('create_trial_keeper_dir')} ${experimentId} ${this.envId}`);
    await this.ssh.run(`chmod 700 ${quoted(folder)}`); // the channel's key is for this user alone
    const channel = new URL(this.channelUrl);
    if (this.ssh.wayBack) {
        channel.host = `${LOOPBACK}:${this.ssh.wayBack}`;
    }
    const config = {
        environmentId: this.envId, experimentId, logLevel, managerCommandChannel: channel.href, platform: 'remote',
    };
    await this.ssh.writeFile(path.posix.join(folder, 'launcher_config.json'), JSON.stringify(config));
    const guard = path.posix.join(folder, 'guard.js');
    await this.ssh.upload(GUARD, guard);
    const node = `"$NODE_OPTIONS"${quoted(` --require ${JSON.stringify(guard)}`)}`;
    const environment = `NASFUSION_KEEPER=1 NASFUSION_NODE_OPTIONS="$NODE_OPTIONS" NODE_OPTIONS=${node}`;
    const launched = await this.ssh.run(`${environment} ${script('launch_trial_keeper')} ${quoted(folder)}`);
    const result = JSON.parse(launched);
    if (!result.success) {
        throw new Error(`NNI could not be started there: ${result.stderr.trim()}`);
    }
    this.uploadDir = result.uploadDirectory;
    this.remoteTrialKeeperDir = result.trialKeeperDirectory;
};

// All machines: one that cannot be used is left out, and without any the manager ends ------------------------------------

const launchWorker = (original) => async function (config) {
    try {
        return await original.call(this, config);
    } catch (error) {
        this.workers = this.workers.filter((worker) => worker.config !== config);
        throw new Error(`${nameOf(config)}: ${explained(error, config)}`);
    }
};

const startAll = (original) => async function () {
    try {
        return await original.call(this);
    } catch (error) {
        giveReason(error);
        throw error;
    }
};

const restartWorker = (original) => async function (worker) {
    await original.call(this, worker);
    if (this.workers.length === 0) {
        giveReason(new Error(`${nameOf(worker.config)}: the connection was lost, and there is no other machine`));
        process.exit(1);
    }
};

// NNI's modules get all this when they are loaded -------------------------------------------------------------------------

const patched = new WeakSet();
const once = (thing, patch) => {
    if (thing && !patched.has(thing)) {
        patched.add(thing);
        patch(thing.prototype);
    }
};
let globals;
const load = Module._load;
Module._load = function (name) {
    const loaded = load.apply(this, arguments);
    if (/common[/\\]globals$/.test(name)) {
        globals = loaded.globals;
    } else if (/^\.[/\\]ssh$/.test(name)) {
        once(loaded.Ssh, (ssh) => Object.assign(ssh, { connect }));
    } else if (/^\.[/\\]worker$/.test(name)) {
        once(loaded.Worker, (worker) => Object.assign(worker, { start, launchTrialKeeperDaemon: launch(globals) }));
    } else if (/remote_v3$/.test(name)) {
        once(loaded.RemoteTrainingServiceV3, (service) => Object.assign(service, {
            start: startAll(service.start),
            launchWorker: launchWorker(service.launchWorker),
            restartWorker: restartWorker(service.restartWorker),
        }));
    }
    return loaded;
};
