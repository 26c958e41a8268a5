// Compiles every kernel variant with Dawn, Chromium's WebGPU: a second opinion on WGSL that naga accepts, with the
// uniformity rules of browsers.
//
//     cargo run --example shaders -- DIR     # writes one complete .wgsl file per variant
//     npm ci --ignore-scripts                # once, in this folder
//     node compile.mjs DIR                   # on the adapter Dawn picks; fails if it finds none
//     node compile.mjs DIR backend=null      # no driver: Tint's checks and pipeline validation only
//
// Words after DIR are Dawn's own options. Debian 12's Mesa 22.3 needs the second form: Dawn declines its lavapipe for
// want of shaderSampledImageArrayDynamicIndexing, a feature these kernels do not use. Mesa 25.0 will do.
//
// A file that needs optional features names them in its leading comment: `// requires: subgroups, shader-f16`. Where
// the adapter lacks one the file is skipped, out loud; REQUIRE_ALL=1 makes that a failure. Warnings are failures too.
// Each entry point also becomes a pipeline, under the limits every browser grants; a kernel that binds more storage
// buffers than that is for other devices and stops at Tint's checks.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, globals } from 'webgpu';

// What WGSL text must say to use a feature. Browsers demand these lines; naga 30 refuses `enable subgroups;`.
const ENABLE = { subgroups: 'enable subgroups;', 'shader-f16': 'enable f16;' };

// An `override` without a default gets this: a workgroup size any device can run.
const OVERRIDE = 64;

class Failure extends Error {}

function readShader(dir, name) {
  const text = readFileSync(join(dir, name), 'utf8');
  const header = text.match(/^(?:\s*\/\/.*\n?)*/)[0];
  const lists = header.matchAll(/^\s*\/\/\s*requires:(.*)$/gm);
  const requires = [...lists].flatMap(([, list]) => list.match(/[\w-]+/g) ?? []);
  for (const feature of requires) {
    if (!Object.hasOwn(ENABLE, feature)) throw new Failure(`${name}: requires unknown feature '${feature}'`);
  }
  const code = text.replace(/\/\/.*|\/\*[^]*?\*\//g, '');
  const entryPoints = [...code.matchAll(/@compute\b[^{;]*?\bfn\s+(\w+)\s*\(/g)].map(([, entryPoint]) => entryPoint);
  if (entryPoints.length === 0) throw new Failure(`${name}: no @compute entry point`);
  const overrides = [...code.matchAll(/\boverride\s+(\w+)\s*(?::[^=;]*)?;/g)].map(([, override]) => override);
  const buffers = code.match(/\bvar<storage\b/g)?.length ?? 0;
  return { name, text, requires, entryPoints, overrides, buffers };
}

async function requestDevice(adapter, shaders) {
  const wanted = new Set(shaders.flatMap((shader) => shader.requires));
  const requiredFeatures = [...wanted].filter((feature) => adapter.features.has(feature));
  return adapter.requestDevice({ requiredFeatures });
}

const bindsTooMany = (device, buffers) => buffers > device.limits.maxStorageBuffersPerShaderStage;

/** What Dawn has against the shader, one line each; empty when it compiles and every pipeline builds. */
async function compile(device, { name, text, requires, entryPoints, overrides, buffers }) {
  // On the first line, not above it, so that Dawn's line numbers stay those of the file.
  const code = requires.map((feature) => ENABLE[feature] + ' ').join('') + text;

  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: name, code });
  const { messages } = await module.getCompilationInfo();
  const error = await device.popErrorScope();
  const complaints = messages
    .filter(({ type }) => type !== 'info')
    .map(({ type, lineNum, linePos, message }) => `${name}:${lineNum}:${linePos}: ${type}: ${message}`);
  if (error && complaints.length === 0) complaints.push(`${name}: error: ${error.message}`);
  if (error || bindsTooMany(device, buffers)) return complaints;

  for (const entryPoint of entryPoints) {
    const constants = Object.fromEntries(overrides.map((override) => [override, OVERRIDE]));
    try {
      const compute = { module, entryPoint, constants };
      await device.createComputePipelineAsync({ label: name, layout: 'auto', compute });
    } catch (error) {
      const line = code.slice(0, code.search(new RegExp(`\\bfn\\s+${entryPoint}\\b`))).split('\n').length;
      complaints.push(`${name}:${line}: error: no pipeline for ${entryPoint}: ${error.message}`);
    }
  }
  return complaints;
}

async function main([dir, ...dawnOptions]) {
  if (!dir) throw new Failure('usage: node compile.mjs DIR [DAWN_OPTION...]');
  const names = readdirSync(dir).filter((name) => name.endsWith('.wgsl')).sort();
  if (names.length === 0) throw new Failure(`no .wgsl file in ${dir}`);
  const shaders = names.map((name) => readShader(dir, name));

  // Dawn dies with its instance: a collected `gpu` takes the device along.
  Object.assign(globalThis, globals, { gpu: create(dawnOptions) });
  const adapter = await globalThis.gpu.requestAdapter();
  if (!adapter) throw new Failure('Dawn finds no adapter; `backend=null` after DIR does without');
  const device = await requestDevice(adapter, shaders);
  // `description` is the driver's own words; the null backend has only `device`.
  const adapterName = adapter.info.description || adapter.info.device;

  let failed = 0, skipped = 0, compiled = 0, pipelines = 0, checked = 0;
  for (const shader of shaders) {
    const lacking = shader.requires.filter((feature) => !device.features.has(feature));
    if (lacking.length > 0) {
      console.log(`skipped ${shader.name}: ${adapterName} lacks ${lacking.join(', ')}`);
      skipped += 1;
      continue;
    }
    const complaints = await compile(device, shader);
    complaints.forEach((complaint) => console.error(complaint));
    if (complaints.length > 0) {
      failed += 1;
    } else {
      compiled += 1;
      const alone = bindsTooMany(device, shader.buffers);
      pipelines += alone ? 0 : shader.entryPoints.length;
      checked += alone ? 1 : 0;
    }
  }
  device.destroy();

  console.log(`${compiled} shaders, ${pipelines} entry points compiled by Dawn (${adapterName})`
    + (checked ? `, ${checked} with more buffers than it grants checked alone` : '')
    + (skipped ? `, ${skipped} skipped` : '') + (failed ? `, ${failed} failed` : ''));
  if (failed > 0) throw new Failure(`${failed} of ${shaders.length} shaders failed`);
  if (compiled === 0) throw new Failure('every shader was skipped');
  if (skipped > 0 && process.env.REQUIRE_ALL === '1') throw new Failure(`REQUIRE_ALL=1, and ${skipped} were skipped`);
}

// Dawn keeps the event loop alive, so the process is ended, not left to end.
main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error) => {
    // A stack trace only for what nobody foresaw; errors with a `code` are the file system's.
    console.error(error instanceof Failure || error.code ? error.message : error);
    process.exit(1);
  },
);
