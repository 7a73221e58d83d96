// node run_scenario.mjs NAME: runs one scenario; exit code 1 and the error when it fails.
import * as scenarios from "./scenarios.mjs";

try {
  await scenarios[process.argv[2]]();
  process.exit(0); // some streams are left open on purpose
} catch (error) {
  console.error(error);
  process.exit(1);
}
