using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.LanguageModels;

namespace ModelZoo.Plugins.Recommenders.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    // LLaMA's, T5-small's and Qwen2 1.5B's own counts, the last two with five queries: 6,738,415,616, 60,506,624 and 1,543,714,304.
    private static readonly Dictionary<string, (ModelArchitecture Architecture, string Name)> Published = new()
    {
        ["letter"] = (LetterModel.Architecture, "HonghuiBao2000/LETTER: RQ-VAE"),
        ["letter-tiger"] = (LetterTigerModel.Architecture, "HonghuiBao2000/LETTER: LETTER-TIGER"),
        ["letter-lcrec.llama-7b"] = (LetterLcRecModel.Architecture, "HonghuiBao2000/LETTER: LETTER-LC-Rec, LLaMA-7B"),
        ["recgpt-fsq"] = (RecGptModel.Architecture, "HKUDS/RecGPT: layer 3"),
        ["setrec.t5-small"] = (SetRecT5Model.Architecture, "Linxyhaha/SETRec: T5-small"),
        ["setrec-qwen.1.5b"] = (SetRecQwenModel.Architecture, "Linxyhaha/SETRec: Qwen2.5-1.5B"),
        ["unigrec"] = (UniGRecModel.Architecture, "Jialei-03/UniGRec"),
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name) = Published[size];
        var parameters = ApprovedInventory.Verify("ModelZoo.Plugins.Recommenders.Tests", size, Network.Inventory(scope => Build(scope, size)));
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, parameters);
    }

    [Fact]
    public void Architectures_WithoutAnInventory_SayWhy() => ApprovedInventory.CoversAll<RecommendersPlugin>(Published.Values.Select(published => (published.Architecture.Card.Id, published.Name)), new Dictionary<string, string>());

    private static void Build(Scope scope, string size)
    {
        var g = scope.Graph;
        switch (size)
        {
            case "letter":
                LetterNetwork.Encode(scope, g.Input("x", [1, 768]), new());
                LetterNetwork.Decode(scope, g.Input("z", [1, 32]), 768, new());
                break;
            case "letter-tiger":
                T5(scope, new() { DModel = 128, DKv = 64, DFf = 1024, NumLayers = 4, NumDecoderLayers = 4, NumHeads = 6, VocabSize = 32128 });
                break;
            case "letter-lcrec.llama-7b":
                LcRecNetwork.Prompt(scope, new(), keep: true);
                break;
            case "recgpt-fsq":
                RecGptTokenizer.Encode(scope, new());
                RecGptTokenizer.Decode(scope["decoder"], g.Input("quantized", [1, 4, 192]), new());
                RecGptNetwork.Build(scope, new());
                break;
            case "setrec.t5-small":
                SetRecT5Network.Build(scope, new(), new() { NQuery = 5, NSem = 4 });
                break;
            case "setrec-qwen.1.5b":
                var qwen = new LlamaConfig { ModelType = "qwen2", VocabSize = 151936, HiddenSize = 1536, IntermediateSize = 8960, NumHiddenLayers = 28, NumAttentionHeads = 12, NumKeyValueHeads = 2, TieWordEmbeddings = true };
                SetRecQwenNetwork.Build(scope, qwen, new() { NQuery = 5, NSem = 4 });
                break;
            default:
                // run_train_rqvae.sh and run_train_unigrec.sh: levels with ids of their own, 101 of collisions.
                var tokenizer = new UniGRecTokenizerConfig();
                UniGRecNetwork.Encode(scope["rqvae"], g.Input("x", [1, 768]), tokenizer);
                UniGRecNetwork.Mix(scope["rqvae"], g.Input("z", [1, 32]), g.Input("tau", []), tokenizer);
                UniGRecNetwork.Decode(scope["rqvae"], g.Input("quantized", [1, 32]), tokenizer);
                T5(scope["t5.t5"], new() { DModel = 128, DKv = 64, DFf = 512, NumLayers = 6, NumDecoderLayers = 6, NumHeads = 4, VocabSize = 870 });
                break;
        }
    }

    private static void T5(Scope t5, T5Config config)
    {
        var (g, ids) = (t5.Graph, t5.Graph.Input("ids", ElementType.Int64, [1, 4]));
        var states = T5Encoder.Encode(t5, ids, config).LastHiddenState;
        T5Decoder.Logits(t5, ids, states, g.Input("mask", ElementType.Int64, [1, 4]), config);
    }
}
