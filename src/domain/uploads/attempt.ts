import type { CallContext } from "../context.ts";
import type { RemoteFile } from "../driver.ts";
import { isOutcomeUnknown } from "../failure.ts";
import type { NamedFile } from "../files/file_index.ts";
import type {
  FilePlace,
  FileWriter,
  NamedBefore,
  WriteTarget,
} from "../files/file_writer.ts";
import type { PutCondition } from "../object.ts";
import type { ChecksumFactory } from "./checksums.ts";
import type { Claim, SealedAttempt } from "./claim.ts";
import {
  checksumsOf,
  type CompletionPlan,
  planCompletion,
} from "./completion_plan.ts";
import { markedFileName, markOf } from "./file_mark.ts";
import type { PartBytes } from "./part_bytes.ts";
import type { PartRemoval } from "./part_removal.ts";
import type { StrayFiles } from "./stray_files.ts";
import type {
  CompletedUpload,
  CompletionOrder,
  Seal,
  UploadPart,
} from "./upload.ts";
import type { UploadIndex } from "./upload_index.ts";

export interface AttemptDeps {
  readonly index: UploadIndex;
  readonly files: FileWriter;
  readonly bytes: PartBytes;
  readonly strays: StrayFiles;
  readonly removal: PartRemoval;
  readonly createSum: ChecksumFactory;
  readonly now: () => Date;
  readonly strayMs: number;
}

/** A file that is there and only has to be named. */
interface Made {
  readonly file: NamedFile;
  readonly planDigest: string;
  readonly target: WriteTarget;
  /** Left out: not looked at yet. */
  readonly before?: NamedBefore;
}

/** One try at completing an upload, by whoever has the claim. */
export class Attempt {
  readonly #call: CallContext;
  readonly #claim: Claim;
  readonly #deps: AttemptDeps;

  constructor(call: CallContext, claim: Claim, deps: AttemptDeps) {
    this.#call = call;
    this.#claim = claim;
    this.#deps = deps;
  }

  /** Null where the claim was lost: the upload is another request's now. */
  complete(order: CompletionOrder): Promise<CompletedUpload | null> {
    return this.#conclude(async () => {
      const plan = await this.#plan(order);
      const target = this.#target({ ...plan, condition: order.condition });
      const before = await this.#prepare(target);
      const file = await this.#adoptSame(plan, target) ??
        await this.#store(plan, target);
      return { file, planDigest: plan.digest, target, before };
    });
  }

  /**
   * Completes with the file that the attempt before brought to the provider;
   * where there is none, and none can be on its way, the upload is open again.
   */
  settle(former: SealedAttempt): Promise<CompletedUpload | null> {
    return this.#conclude(async () => {
      const { seal, deadlineAt } = former;
      const target = this.#target(seal);
      const file = await this.#adoptSealed(seal, target);
      if (file !== null) return { file, planDigest: seal.planDigest, target };
      const { now, strayMs } = this.#deps;
      const isOver = seal.place.heldBy === "gateway" ||
        now().getTime() > deadlineAt.getTime() + strayMs;
      await this.#claim.release(isOver ? "leftover" : "nothing");
      return null;
    });
  }

  /** Names what `make` made, and gives the claim up where anything fails. */
  async #conclude(
    make: () => Promise<Made | null>,
  ): Promise<CompletedUpload | null> {
    const { files, removal } = this.#deps;
    let made: Made | null = null;
    try {
      made = await make();
      if (made === null) return null;
      const { file, planDigest, target } = made;
      const before = made.before === undefined
        ? await this.#prepare(target)
        : made.before;
      const result = { etag: file.fileId, checksums: file.headers.checksums };
      await files.name(
        this.#call,
        file,
        target.condition,
        before,
        (named, previous) =>
          this.#claim.finish(named, previous, { planDigest, result }),
      );
      // What cannot be removed now is swept.
      await removal.removeAll(this.#claim.upload.id).catch(() => {});
      return result;
    } catch (error) {
      if (this.#claim.lost) return null;
      await this.#giveUp(error, made?.file ?? null);
      throw error;
    }
  }

  async #giveUp(error: unknown, file: NamedFile | null): Promise<void> {
    if (isOutcomeUnknown(error)) return await this.#claim.release("unknown");
    if (file === null) return await this.#claim.release("nothing");
    await this.#deps.files.discard(this.#call, file);
    await this.#claim.release("leftover");
  }

  async #plan(order: CompletionOrder): Promise<CompletionPlan> {
    const { index, createSum } = this.#deps;
    const { upload } = this.#claim;
    const stored = new Map<number, UploadPart>();
    for await (const part of index.listParts(upload.id, 0)) {
      stored.set(part.partNumber, part);
    }
    return planCompletion(upload, order, stored, createSum);
  }

  async #prepare(target: WriteTarget): Promise<NamedBefore> {
    const { provider } = this.#claim.upload;
    return await this.#deps.files.prepare(this.#call, provider, target);
  }

  /** The file of the attempt before, where that wanted the same. */
  async #adoptSame(
    plan: CompletionPlan,
    target: WriteTarget,
  ): Promise<NamedFile | null> {
    const seal = this.#claim.former?.seal ?? null;
    if (seal === null) return null;
    const isSame = seal.planDigest === plan.digest;
    // What it kept is of no use, and gone with it.
    if (!isSame && seal.place.heldBy === "provider") return null;
    return await this.#adoptSealed(seal, target);
  }

  async #adoptSealed(
    seal: Seal,
    target: WriteTarget,
  ): Promise<NamedFile | null> {
    const { files, strays } = this.#deps;
    const { upload } = this.#claim;
    const { provider } = upload;
    if (seal.place.heldBy === "gateway") {
      await files.discard(this.#call, { provider, ...seal.place });
      return null;
    }
    const marked = await strays.list(this.#call, provider);
    const remote: RemoteFile | null = await strays.find(upload, seal, marked);
    if (remote === null) return null;
    const { format } = seal.place;
    const sealed = withChecksums(target, seal.checksums);
    return files.adopt(this.#call, sealed, remote, { provider, format });
  }

  async #store(plan: CompletionPlan, target: WriteTarget): Promise<NamedFile> {
    const { files, bytes } = this.#deps;
    const { upload } = this.#claim;
    const sums = plan.checksum.kind === "running" ? [plan.checksum.sum] : [];
    const { sizeBytes, condition } = target;
    const stream = bytes.join(plan.parts, sums);
    const draft = { ...target, body: { sizeBytes, stream } };
    const mark = markOf(upload.id, plan.digest);
    const file = await files.store(this.#call, upload.provider, draft, {
      fileName: markedFileName(upload.key, mark),
      seal: (place) => this.#claim.seal(sealOf(plan, place, condition)),
    });
    const checksums = checksumsOf(plan);
    return { ...file, headers: { ...file.headers, checksums } };
  }

  #target(
    { sizeBytes, condition }: Pick<WriteTarget, "sizeBytes" | "condition">,
  ): WriteTarget {
    const { bucket, key, headers } = this.#claim.upload;
    return { bucket, key, headers, condition, sizeBytes };
  }
}

/** @throws {GatewayError} `bad_digest`: then no file may appear. */
function sealOf(
  plan: CompletionPlan,
  place: FilePlace,
  condition: PutCondition,
): Seal {
  const { digest: planDigest, sizeBytes } = plan;
  const checksums = checksumsOf(plan);
  return { planDigest, sizeBytes, place, checksums, condition };
}

function withChecksums(
  target: WriteTarget,
  checksums: Readonly<Record<string, string>>,
): WriteTarget {
  return { ...target, headers: { ...target.headers, checksums } };
}
