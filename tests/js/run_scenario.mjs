// node run_scenario.mjs FILE NAME: runs one scenario of the file; exit code 1 and the error when it fails.
const [, , file, name] = process.argv;

try {
  await (await import(`./${file}`))[name]();
  process.exit(0); // some streams are left open on purpose
} catch (error) {
  console.error(error);
  process.exit(1);
}
