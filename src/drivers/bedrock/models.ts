import {
  GetFoundationModelCommand,
  ListFoundationModelsCommand,
} from "@aws-sdk/client-bedrock";
import type {
  DriverCall,
  FoundationModel,
  ModelCatalogue,
} from "../../domain/driver.ts";
import { type Failure, GatewayError } from "../../domain/failure.ts";
import type { ControlPlane } from "./control_plane.ts";
import { toFoundationModel } from "./wire.ts";

/** What may be asked for at all; Bedrock's own pattern is narrower. */
const MODEL_ID =
  /^(?:arn:aws(?:-[^:/]+)?:bedrock:[a-z0-9-]*:\d*:[a-z-]+\/)?[\w][\w.:-]*$/;

/** Bedrock's own model catalogue, in the gateway's region. */
export class BedrockModels implements ModelCatalogue {
  readonly #plane: ControlPlane;

  constructor(plane: ControlPlane) {
    this.#plane = plane;
  }

  async listModels(call: DriverCall): Promise<readonly FoundationModel[]> {
    const { modelSummaries } = await this.#plane.read(
      call,
      { kind: "no_such_resource", resource: "foundation-models" },
      (client, options) =>
        client.send(new ListFoundationModelsCommand({}), options),
    );
    return (modelSummaries ?? []).map(toFoundationModel);
  }

  async getModel(call: DriverCall, modelId: string): Promise<FoundationModel> {
    const missing: Failure = { kind: "no_such_resource", resource: modelId };
    const none = new GatewayError(missing, `There is no model ${modelId}.`);
    if (!MODEL_ID.test(modelId)) throw none;
    const command = new GetFoundationModelCommand({ modelIdentifier: modelId });
    try {
      const { modelDetails } = await this.#plane.read(
        call,
        missing,
        (client, options) => client.send(command, options),
      );
      if (modelDetails === undefined) throw none;
      return toFoundationModel(modelDetails);
    } catch (error) {
      // The identifier is all that this operation can find invalid.
      const isUnknown = error instanceof GatewayError &&
        error.failure.kind === "invalid_request";
      if (isUnknown) throw new GatewayError(missing, error.message);
      throw error;
    }
  }
}
