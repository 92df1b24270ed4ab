using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What is built of BLT: parts that go on from a cache, and the whole as transformers runs it.</summary>
internal enum BltPart
{
    /// <summary>ids -> entropies, over a cache.</summary>
    Patcher,
    /// <summary>ids, rows -> states of bytes, over a cache.</summary>
    Encoder,
    /// <summary>States of bytes and the patches that own them -> patches.</summary>
    Pool,
    /// <summary>Patches -> states of patches, over a cache.</summary>
    Global,
    /// <summary>States of bytes, and of the patch that each looks at -> logits, over a cache.</summary>
    Decoder,
    /// <summary>ids -> entropies, all at once.</summary>
    WholePatcher,
    /// <summary>ids and patches -> logits, all at once.</summary>
    Whole,
    /// <summary>The same, with padding that no byte looks at.</summary>
    WholeMasked,
}

/// <summary>BLT's networks over one checkpoint, each built when it is first asked for.</summary>
internal sealed class BltNetworks(NetworkContext context, BltConfig config) : IDisposable
{
    private static readonly Dim Batch = Dim.Symbol("batch"), Length = Dim.Symbol("length"), Patches = Dim.Symbol("patches");

    private readonly NetworkCache<BltPart> _networks = new(part => Network.Build(context, $"blt {part}", scope => Build(scope, part, config)));

    /// <summary>A part.</summary>
    public Network this[BltPart part] => _networks[part];

    /// <summary>The parts that were built.</summary>
    public IEnumerable<Network> Built => _networks.Built;

    /// <summary>The graph of a part.</summary>
    public static void Build(Scope root, BltPart part, BltConfig config)
    {
        switch (part)
        {
            case BltPart.Patcher:
                var patcher = config.PatcherConfig;
                root.Graph.Output("entropies", BltNetwork.Entropies(BltNetwork.Predict(root["model.patcher"], Ids(root.Graph), patcher, Cache(root.Graph, patcher, Length))));
                break;
            case BltPart.Encoder:
                root.Graph.Output("states", BltNetwork.Encode(root["model.local_encoder"], BltNetwork.Embed(root["model"], Ids(root.Graph), Rows(root.Graph, config), config), config.EncoderConfig, new(Cache(root.Graph, config.EncoderConfig, Length))));
                break;
            case BltPart.Pool:
                root.Graph.Output("patches", BltNetwork.Pool(root["model.local_encoder"], States(root.Graph, config), Owners(root.Graph), Numbers(root.Graph), config.EncoderConfig));
                break;
            case BltPart.Global:
                var x = root.Graph.Input("patches", [Batch, Patches, config.CrossAttnK * config.EncoderConfig.HiddenSize]);
                root.Graph.Output("states", BltNetwork.Globalize(root["model.global_transformer"], x, config.GlobalConfig, Cache(root.Graph, config.GlobalConfig, Patches)));
                break;
            case BltPart.Decoder:
                var looked = root.Graph.Input("patches", [Batch, Length, config.GlobalConfig.HiddenSize]);
                var states = BltNetwork.Decode(root["model.local_decoder"], States(root.Graph, config), looked, static values => values, config.DecoderConfig, new(Cache(root.Graph, config.DecoderConfig, Length)));
                root.Graph.Output("logits", BltNetwork.Logits(root, states, config));
                break;
            case BltPart.WholePatcher:
                var logits = root.Stage("patcher_logits", BltNetwork.Predict(root["model.patcher"], Ids(root.Graph), config.PatcherConfig));
                root.Graph.Output("entropies", BltNetwork.Entropies(logits));
                break;
            default:
                BuildWhole(root, config, part == BltPart.WholeMasked);
                break;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();

    private static void BuildWhole(Scope root, BltConfig config, bool isMasked)
    {
        var (g, model) = (root.Graph, root["model"]);
        var x = BltNetwork.Embed(model, Ids(g), Rows(g, config), config);
        var (owners, numbers, looked) = (Owners(g), Numbers(g), g.Input("looked", ElementType.Int64, [Batch, Length]));
        var sight = new BltSight(Positions: g.Input("positions", ElementType.Int64, [Batch, Length]), Real: isMasked ? g.Input("real", ElementType.Int64, [Batch, Length]) : null);

        var states = root.Stage("encoder_hidden_states", BltNetwork.Encode(model["local_encoder"], x, config.EncoderConfig, sight));
        var patches = BltNetwork.Pool(model["local_encoder"], states, owners, numbers, config.EncoderConfig);
        root.Stage("encoder_cross_states", patches.Reshape(Batch, Patches * config.CrossAttnK, config.EncoderConfig.HiddenSize));
        var global = root.Stage("global_hidden_states", BltNetwork.Globalize(model["global_transformer"], patches, config.GlobalConfig));

        // Rows of all sequences one after the other, of which each byte takes its patch's.
        var places = (looked + AttentionLayers.Range(g, Batch).Reshape(-1, 1) * g.Extent(Patches)).Reshape(-1);
        Value Spread(Value ofPatches) => ofPatches.Flatten(0, 1).Gather(places).Reshape(Batch, Length, ofPatches.Shape[-1]);
        var last = root.Stage("last_hidden_state", BltNetwork.Decode(model["local_decoder"], states, global, Spread, config.DecoderConfig, sight));
        g.Output("logits", BltNetwork.Logits(root, last, config));
    }

    private static KeyValueCache Cache(Graph g, BltStackConfig config, Dim count) => new(g, Batch, count, config.KeyValueHeads, config.HeadWidth);

    private static Value Ids(Graph g) => g.Input("ids", ElementType.Int64, [Batch, Length]);

    private static Value Rows(Graph g, BltConfig config) => g.Input("rows", ElementType.Int64, [Batch, Length, config.HashTables]);

    private static Value States(Graph g, BltConfig config) => g.Input("states", [Batch, Length, config.EncoderConfig.HiddenSize]);

    private static Value Owners(Graph g) => g.Input("owners", ElementType.Int64, [Batch, Length]);

    private static Value Numbers(Graph g) => g.Input("numbers", ElementType.Int64, [Batch, Patches]);
}
