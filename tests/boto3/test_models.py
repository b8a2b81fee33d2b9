"""The model catalogue, for every provider."""

import pytest

from records import ALL

PROVIDERS = ["bedrock", "openai", "gemini", "anthropic"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_listed_model_has_what_the_botocore_model_requires(
    gateway, provider
):
    models = gateway.bedrock(provider).list_foundation_models()[
        "modelSummaries"
    ]
    assert models
    assert len({model["modelId"] for model in models}) == len(models)
    for model in models:
        assert model["modelArn"].startswith("arn:aws:bedrock:")
        assert model["modelId"] in model["modelArn"]
        assert model["providerName"]
        assert model["modelName"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_model_is_found_by_its_id_and_its_arn(gateway, provider):
    client = gateway.bedrock(provider)
    model = client.list_foundation_models()["modelSummaries"][0]
    for identifier in (model["modelId"], model["modelArn"]):
        details = client.get_foundation_model(modelIdentifier=identifier)
        assert details["modelDetails"]["modelId"] == model["modelId"]


@pytest.mark.parametrize("provider", ALL, ids=str)
def test_the_documented_model_is_in_the_catalogue(gateway, provider):
    details = gateway.bedrock(provider.name).get_foundation_model(
        modelIdentifier=provider.model
    )
    assert details["modelDetails"]["modelId"] == provider.model


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_unknown_model_is_not_found(gateway, provider):
    client = gateway.bedrock(provider)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_foundation_model(modelIdentifier="anthropic.no-such-model-v1:0")


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        ({"byProvider": "Anthropic"},
         lambda model: model["providerName"] == "Anthropic"),
        ({"byOutputModality": "TEXT"},
         lambda model: "TEXT" in model["outputModalities"]),
        ({"byInferenceType": "ON_DEMAND"},
         lambda model: "ON_DEMAND" in model["inferenceTypesSupported"]),
    ],
    ids=["provider", "modality", "inference type"],
)
def test_bedrocks_list_filters_are_honoured(gateway, filters, holds):
    models = gateway.bedrock("bedrock").list_foundation_models(**filters)
    assert models["modelSummaries"]
    assert all(holds(model) for model in models["modelSummaries"])


@pytest.mark.parametrize("provider", ["openai", "gemini"])
def test_a_filter_for_another_company_gives_nothing(gateway, provider):
    models = gateway.bedrock(provider).list_foundation_models(
        byProvider="Anthropic"
    )
    assert models["modelSummaries"] == []
