// Where a mission is, from wherever it is asked (clauses STA-005, SEC-001 to SEC-003). No git is run: what its files say
// cannot be redirected by GIT_DIR and its like.

import fs from "node:fs";
import path from "node:path";

import { JsonError, isObject, parse } from "./json.mjs";
import { Problem } from "./problems.mjs";

const SLUG = /^[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*$/;

const kindOf = (file) => fs.lstatSync(file, { throwIfNoEntry: false });
const linesOf = (file) => fs.readFileSync(file, "utf8").trim();

/** Return {root, git} of the main checkout whose checkout has its top in `top`: the folder and its git directory. */
function checkoutAt(top) {
  const marker = path.join(top, ".git");
  if (kindOf(marker).isDirectory()) return { root: top, git: marker };
  const directory = path.resolve(top, linesOf(marker).replace(/^gitdir: */, ""));
  if (path.basename(path.dirname(directory)) !== "worktrees") return { root: top, git: directory }; // a submodule
  const common = fs.realpathSync(path.resolve(directory, linesOf(path.join(directory, "commondir"))));
  return { root: path.dirname(common), git: common };
}

function repositoryOf(place) {
  let nearest = null;
  for (let folder = fs.realpathSync(place); ; folder = path.dirname(folder)) {
    if (kindOf(path.join(folder, ".git"))) return checkoutAt(folder);
    if (!nearest && kindOf(path.join(folder, "kitty-specs"))) nearest = { root: folder, git: null };
    if (folder === path.dirname(folder)) break;
  }
  if (!nearest) throw new Error("no folder above it is a checkout or has missions");
  return nearest;
}

function metaOf(directory) {
  const meta = parse(fs.readFileSync(path.join(directory, "meta.json"), "utf8"));
  return isObject(meta) ? meta : Object.create(null);
}

/** Refuse a file of the mission that is reached through a link: `file` has to be where it says. */
function stay(directory, file) {
  if (fs.realpathSync(directory) !== directory) throw new Problem("MISSION_OUTSIDE", "the mission's directory is behind a link");
  if (kindOf(file)?.isSymbolicLink()) throw new Problem("MISSION_OUTSIDE", "the mission's log is a link");
}

/** Return the directory that holds log and snapshot: in the coordination worktree when the mission has one. */
function stateDirectory(repository, slug, meta) {
  const home = path.join(repository.root, "kitty-specs", slug);
  if (!meta.coordination_branch && !/coord$/.test(meta.topology ?? "")) return home;
  const top = path.join(repository.root, ".worktrees", `${slug}-coord`);
  const directory = path.join(top, "kitty-specs", slug);
  const ours = kindOf(path.join(top, ".git"))?.isFile() && checkoutAt(top).root === repository.root;
  if (!ours || !kindOf(directory)) {
    throw new Problem("COORDINATION_MISSING", `the coordination branch of ${slug} is not checked out in .worktrees/${slug}-coord`);
  }
  return directory;
}

/** Return the mission `slug` as seen from `place`. Throws Problem. */
export function missionAt(place, slug) {
  if (!SLUG.test(slug)) throw new Problem("MISSION_UNKNOWN", "the mission's name is no plain directory name");
  let repository;
  let meta;
  let home;
  try {
    repository = repositoryOf(place);
    home = path.join(repository.root, "kitty-specs", slug);
    meta = metaOf(home);
  } catch (error) {
    if (error instanceof Problem) throw error;
    const why = error instanceof JsonError ? `its meta.json is not JSON: ${error.message}` : (error.code ?? error.message);
    throw new Problem("MISSION_UNKNOWN", `there is no mission ${slug} here: ${why}`);
  }
  stay(home, path.join(home, "meta.json"));
  const directory = stateDirectory(repository, slug, meta);
  const log = path.join(directory, "status.events.jsonl");
  stay(directory, log);
  return {
    slug,
    meta,
    id: typeof meta.mission_id === "string" ? meta.mission_id : null,
    root: repository.root,
    tasks: path.join(home, "tasks"),
    log,
    snapshot: path.join(directory, "status.json"),
    lock: path.join(repository.git ?? path.join(repository.root, ".kittify"), "spec-kitty-locks", `${slug}.status.lock`),
  };
}

/** Return the text of the task file of a work package, null when it has none or several. */
export function taskOf(mission, workPackage) {
  let names;
  try {
    names = fs.readdirSync(mission.tasks).filter((name) => name.endsWith(".md") && name.split(/[-_.]/, 1)[0] === workPackage);
  } catch {
    return null;
  }
  const file = path.join(mission.tasks, names[0] ?? "");
  return names.length === 1 && fs.realpathSync(file) === file ? fs.readFileSync(file, "utf8") : null;
}

/** Return the ids under `subtasks:` in the frontmatter of a task file, null when it does not say. */
export function subtasksOf(task) {
  const [, frontmatter] = /^---\r?\n([^]*?)\r?\n---\s*(?:\r?\n|$)/.exec(task) ?? [];
  const [, inline, block] = /^subtasks:[ \t]*(?:\[(.*)\][ \t]*\r?$|\r?\n((?:[ \t]*-[^\n]*(?:\n|$))*))/m.exec(`${frontmatter}\n`) ?? [];
  if (inline === undefined && !block) return null;
  const items = inline !== undefined ? inline.split(",") : block.split("\n").map((line) => line.replace(/^[ \t]*-/, ""));
  return items.map((item) => item.trim().replace(/^(["'])(.*)\1$/, "$2")).filter(Boolean);
}
