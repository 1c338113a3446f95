// Every document of the given YAML files against the schemas of the Kubernetes API and the Prometheus operator, as
// npm's kubernetes-models ships them: their values by schema, their keys by TypeScript, whose check of literals names a
// key that no type knows. Run where those packages are installed.
const fs = require('fs'), childProcess = require('child_process');
const installed = require('module').createRequire(process.cwd() + '/'), yaml = installed('js-yaml');

const OPERATOR = '@kubernetes-models/prometheus-operator/';
const OPTIONS = {
  noEmit: true, strict: true, skipLibCheck: true, moduleResolution: 'node', module: 'commonjs', target: 'es2020',
  types: [],
};

function moduleOf(document) {
  const ofOperator = document.apiVersion.startsWith('monitoring.coreos.com/');
  return `${ofOperator ? OPERATOR : 'kubernetes-models/'}${document.apiVersion}/${document.kind}`;
}

function schemaFault(document) {
  try {
    const Model = installed(moduleOf(document))[document.kind];
    new Model(document).validate();
    return null;
  } catch (error) {
    return error.message;
  }
}

function unknownKeys(documents) {
  const source = documents.map((document, i) =>
    `import type {I${document.kind} as T${i}} from "${moduleOf(document)}";\n` +
    `export const d${i}: T${i} = ${JSON.stringify(document, null, 1)};\n`).join('');
  fs.writeFileSync('documents.ts', source);
  fs.writeFileSync('tsconfig.json', JSON.stringify({compilerOptions: OPTIONS, files: ['documents.ts']}));
  return childProcess.spawnSync('node', ['node_modules/typescript/bin/tsc', '-p', '.'], {encoding: 'utf8'}).stdout;
}

const documents = process.argv.slice(2).flatMap(file => yaml.loadAll(fs.readFileSync(file, 'utf8'))).filter(Boolean);
let faults = 0;
for (const document of documents) {
  const fault = schemaFault(document);
  if (fault) console.log(`${document.kind}/${document.metadata?.name}: ${fault}`);
  faults += Boolean(fault);
}
const unknown = unknownKeys(documents);
process.stdout.write(unknown);
console.log(`${documents.length} documents`);
process.exit(faults || unknown || documents.length === 0 ? 1 : 0);
