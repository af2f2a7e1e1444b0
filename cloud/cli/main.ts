/** The `ondol` command. Every command is loaded only when it is asked for, so that the others start fast. */
import { Command, Option } from 'commander'
import { faultChain } from '#base/fault.ts'

const program = new Command('ondol')
  .description('A cloud operating system, wire-compatible with OpenStack.')
  .showHelpAfterError('(try: ondol --help)')
  .addHelpText('after', '\nFirst steps:\n  ./ondol up                     start the whole cloud and keep it in the foreground\n  eval "$(./ondol env)"          in another terminal: point the openstack command at it\n  openstack server create --image ondol-guest --flavor m1.nano --network private --wait first\n')

const data = (): Option => new Option('--data <dir>', 'folder that holds everything this cloud knows').default(undefined, '.ondol/data beside this command')

program
  .command('up')
  .description('start the cloud; without --detach it stays in the foreground until Ctrl-C (guests live on)')
  .addOption(data())
  .addOption(new Option('--port <n>', 'port of the front door').argParser(Number))
  .addOption(new Option('--drivers <kind>', 'real machines, networks and disks; pretended ones; or what works here').choices(['auto', 'fake', 'real']))
  .option('--detach', 'return when the cloud answers; `ondol down` stops it')
  .option('--config <file>', 'an ondol.yaml')
  .addOption(new Option('--role <role>', 'what this machine does, whatever the configuration says').choices(['all', 'control', 'compute']))
  .option('--host <name>', 'name of this machine in the cloud and under `hosts` in the configuration; default the host name')
  .option('--no-install', 'do not install Debian packages that the real drivers need')
  .addHelpText('after', '\nExamples:\n  ./ondol up --drivers fake --port 5000     nothing is installed, no root is needed\n  ./ondol up --detach && eval "$(./ondol env)" && openstack server list\n  ./ondol up --role compute --config /etc/ondol.yaml                guests only; see docs/deploy.md\n')
  .action(async (options) => (await import('./up.ts')).up(options))

program.command('down').description('stop the cloud; guests, networks and disks go on').addOption(data()).action(async (options) => (await import('./down.ts')).down(options))

program
  .command('status')
  .description('what runs, since when, and what is degraded')
  .addOption(data())
  .option('--json', 'for programs')
  .addHelpText('after', '\nDegraded are: services and agents without a heartbeat, operations past their deadline, a database or message\nbus that does not answer, a guest image that could not be made. Each line says what to do.\ndocs/guarantees.md says what holds meanwhile.\n')
  .action(async (options) => (await import('./status.ts')).status(options))

program
  .command('env')
  .description('shell lines that point the OpenStack clients at this cloud: eval "$(ondol env)"')
  .addOption(data())
  .option('--admin', 'as the administrator')
  .option('--openrc', 'user and password as OS_… variables, for clients that know no clouds.yaml: swift, rclone')
  .action(async (options) => (await import('./env.ts')).env(options))

program
  .command('trace <request-id>')
  .description('the way of one request through every service, host and step')
  .addOption(data())
  .option('--json', 'the spans for programs')
  .addHelpText('after', '\nThe id stands in every answer as x-openstack-request-id, in every log line, and in\n  openstack server event list <server>\n')
  .action(async (id, options) => (await import('./trace.ts')).trace(id, options))

program
  .command('operations [verb] [id]')
  .description('long work under way: resource, step, owner, age, deadline, request id; cancel, take-over and retry it')
  .addOption(data())
  .option('--all', 'also what has ended lately')
  .option('--json', 'for programs')
  .addHelpText(
    'after',
    `
Verbs (the id is of an operation, a resource or a request; each is legal at any time, and doing it twice is doing it once):
  list [id]         what is under way, of this id alone when one is given
  cancel <id>       end the step under way, undo the steps before it, end as cancelled
  take-over <id>    take it from the process that holds it; another goes on at the same step within seconds
  retry <id>        begin the step under way again, with a new deadline; of a deletion that failed, all of it

Examples:
  ./ondol operations
  ./ondol operations --all --json
  ./ondol operations cancel 7c1f3f0e-5b7c-4f4a-9d6e-0f3f5a1b2c3d
  ./ondol trace req-…                                    what it did so far, step by step
`,
  )
  .action(async (verb, id, options) => (await import('./operations.ts')).operations(verb, id, options))

program
  .command('policy <verb> [rule]')
  .description('who may do what: list the rules in force, explain why someone may or may not, print the defaults')
  .addOption(data())
  .option('--as <user>', 'name or id of the user (explain)')
  .option('--on <project>', 'name or id of the project that the token is for')
  .option('--on-domain <domain>', 'a token for this domain instead')
  .option('--on-system', 'a token for the system instead')
  .option('--domain <domain>', 'domain of the user and the project; default Default')
  .option('--target <key=value...>', 'what is judged, where it is not the user\'s own: project_id=…, target.user.domain_id=…')
  .option('--service <name>', 'only the rules of this one')
  .option('--json', 'for programs')
  .addHelpText('after', '\nExamples:\n  ./ondol policy explain --as demo --on demo identity:create_user\n  ./ondol policy list --service nova\n  ./ondol policy defaults --service keystone > policy.yaml     every rule, commented out\n')
  .action(async (verb, rule, options) => (await import('./policy.ts')).policy(verb, rule, options))

program
  .command('keystone <command...>')
  .description('keys, lost passwords, doctor, moving in from another Keystone; as keystone-manage')
  .addOption(data())
  .option('--config <file>', 'an ondol.yaml')
  .option('--from <url>', 'database of the other Keystone: mysql://…, postgres://… or sqlite:… (import)')
  .option('--fernet-keys <dir>', 'folder of its keys of tokens (import)')
  .option('--credential-keys <dir>', 'folder of its keys of credentials (import)')
  .option('--force', 'make a new pair although there is one (create_jws_keypair)')
  .option('--domain <id>', 'only users of this domain (mapping purge)')
  .option('--password <word>', 'the password to set (password reset, bootstrap)')
  .option('--json', 'for programs')
  .addHelpText('after', `
Commands:
  bootstrap                     what a cloud cannot be without; admin gets the password of clouds.yaml
  fernet setup|rotate           keys of tokens
  credential setup|rotate|migrate   keys of credentials
  receipt setup|rotate          keys of auth receipts
  create_jws_keypair            keys of tokens of the provider jws
  doctor                        what is not well
  mapping purge                 remove users that came by federation
  trust flush                   remove what is over
  password reset USER           a new password
  import --from URL             take over what another Keystone has`)
  .action(async (command, options) => (await import('./keystone.ts')).keystone(command, options))

program
  .command('swift <verb>')
  .description('where the bytes of objects lie (places), which are damaged (damaged), and moving them to another storage policy (move)')
  .addOption(data())
  .option('--config <file>', 'an ondol.yaml')
  .option('--to <policy>', 'the policy that the containers are to have (move)')
  .option('--container <account/name>', 'this container')
  .option('--account <account>', 'all containers of this account')
  .option('--all', 'all containers')
  .option('--json', 'for programs')
  .addHelpText('after', '\nA move goes on while the cloud runs. Ctrl-C stops it; the same command goes on where it was.\n\nExamples:\n  ./ondol swift places\n  ./ondol swift damaged\n  ./ondol swift move --to gold --container AUTH_4f1c0a52c2a14a7d8a41e9d5b8c1f3aa/photos\n  ./ondol swift move --to gold --all\n')
  .action(async (verb, options) => (await import('./swift.ts')).swift(verb, options))

program
  .command('data <verb>')
  .description('the database: move --to URL takes all of it into another one, while the cloud serves')
  .addOption(data())
  .option('--config <file>', 'an ondol.yaml')
  .option('--to <url>', 'a fresh database: postgres://user:secret@host/db, mysql://… or sqlite:/path')
  .option('--bytes-to <policy>', 'then move the bytes of all objects to this storage policy, too')
  .option('--abandon', 'give up a move that is not at its end; the database stays where it is')
  .option('--json', 'for programs')
  .addHelpText(
    'after',
    `
Out of the embedded database (SQLite) a running cloud moves itself: it goes on serving, copies every table, follows what changes
meanwhile, compares every row, and goes on in the new place; requests wait for that moment, none fails. Nothing is started again, and
later starts find the new place by themselves (database.json in the data folder; ./ondol status tells). A stopped cloud is moved by the
command itself. Out of PostgreSQL or MariaDB, where several processes may write, the cloud must be stopped.

Ctrl-C stops a move, and so may a crash of the cloud, of this machine or of the target: the same command goes on from there. Meanwhile
the cloud is used as before. --abandon gives it up.

Bytes of objects are moved by --bytes-to, while the cloud runs; images, keys and secrets stay in the data folder. The policy must be
known to the running cloud: name it under swift.policies in its ondol.yaml, and start it with that, before.

Examples:
  ./ondol data move --to postgres://ondol:secret@192.0.2.10/ondol
  ./ondol data move --config ondol.yaml --to mysql://ondol:secret@192.0.2.10/ondol --bytes-to gold
  ./ondol data move --abandon
`,
  )
  .action(async (verb, options) => (await import('./data.ts')).data(verb, options))

program
  .command('routes')
  .description('every operation this cloud answers')
  .option('--json', 'for programs')
  .option('--service <name>', 'only this one')
  .action(async (options) => (await import('./routes.ts')).routes(options))

program
  .command('openapi <service>')
  .description('an OpenAPI 3.1 document of one service')
  .action(async (service) => (await import('./openapi.ts')).openapi(service))

program
  .command('bench [sections...]')
  .description('measure this cloud on this machine: requests (start, memory, every kind of request), create (boots on SQLite), postgres (boots by two processes), schedule, objects (beside nginx), keystone (logins beside their hash, long lists, SQL statements), real (a guest beside bare QEMU)')
  .option('--json', 'for programs')
  .option('--only <words>', 'only figures whose name holds one of these, comma-separated')
  .action(async (sections, options) => (await import('./bench.ts')).bench(sections, options))

program
  .command('simulate')
  .description('hundreds of hosts, random users and faults under a virtual clock; a seed replays a run exactly')
  .option('--seed <n>', 'replay this run', Number)
  .option('--seconds <n>', 'how long to go on with fresh seeds', Number)
  .option('--hosts <n>', 'simulated hosts', Number)
  .option('--operations <n>', "users' operations per seed", Number)
  .option('--harsh', 'agents die and drivers are slow and fail, too')
  .action(async (options) => (await import('./simulate.ts')).simulate(options))

program
  .command('test [what...]')
  .description('install what the tests need and run them; names of parts run only those')
  .option('--list', 'the parts')
  .action(async (what, options) => (await import('./test.ts')).test(what, options))

try {
  await program.parseAsync()
} catch (thrown) {
  process.stderr.write(`ondol: ${faultChain(thrown)}\n`)
  if (process.env.ONDOL_DEBUG && thrown instanceof Error) process.stderr.write(`${thrown.stack ?? ''}\n`)
  process.exitCode = 1
}
