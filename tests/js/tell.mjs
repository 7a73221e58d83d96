// node tell.mjs STORY: runs one story; exit code 1 and the error when it fails.
import * as stories from "./stories.mjs";

try {
  await stories[process.argv[2]]();
  process.exit(0); // some streams are left open on purpose
} catch (error) {
  console.error(error);
  process.exit(1);
}
