// The deployment store on a local folder, with the objects that the Rust handler writes.

import { randomUUID } from "node:crypto";
import { access, link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

export class DeploymentStore {
  #root;

  constructor(uri) {
    this.#root = fileURLToPath(uri);
  }

  /** Writes an object unless it is there. Says whether this call wrote it; nobody ever sees half of it. */
  async create(customerId, deploymentId, name, value) {
    const file = this.#path(customerId, deploymentId, name);
    const draft = `${file}.${randomUUID()}`;
    const write = () => writeFile(draft, JSON.stringify(value));
    await write().catch(async (error) => {
      if (error.code !== "ENOENT") {
        throw error;
      }
      await mkdir(path.dirname(file), { recursive: true });
      await write();
    });
    try {
      await link(draft, file);
      return true;
    } catch (error) {
      if (error.code === "EEXIST") {
        return false;
      }
      throw error;
    } finally {
      await unlink(draft);
    }
  }

  /** Reads an object that is there. */
  async read(customerId, deploymentId, name) {
    return JSON.parse(await readFile(this.#path(customerId, deploymentId, name), "utf8"));
  }

  /** Whether an object is there. */
  async exists(customerId, deploymentId, name) {
    return access(this.#path(customerId, deploymentId, name)).then(
      () => true,
      () => false,
    );
  }

  #path(customerId, deploymentId, name) {
    return path.join(this.#root, customerId, deploymentId, `${name}.json`);
  }
}
