// Zero-Shot Tokenizer Transfer. Minixhofer, Ponti, Vulić. arXiv:2405.07883. github.com/bminixhofer/zett (hf_hypernet/modeling_hypernet.py)
// Published layout: config.json + model.safetensors of ZettHypernet over RoBERTa. Deviations: none.
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Settings of the hypernetwork; keys as published.</summary>
internal sealed record ZettConfig(
    int Width, int Hidden, int Intermediate, int Layers, int Heads, int SourceVocabulary, int ExtraTokens, int Languages, int PadToken, int Positions,
    double NormEpsilon, bool SeparateOutputs, bool SingleHead, bool Rescale, bool PredictBias, bool EmbedLanguage, bool ConcatLast)
{
    public static ZettConfig Read(JsonElement json)
    {
        var roberta = json.Find("roberta");
        int Int(string key, int otherwise) => json.Find(key)?.AsInt() ?? otherwise;
        bool Flag(string key) => json.Find(key)?.AsFlag() ?? false;
        foreach (var key in (ReadOnlySpan<string>)["hn_add_inter_token_attention", "hn_embed_target_priors"])
        {
            if (Flag(key)) throw new CheckpointException(ErrorCodes.ConfigInvalid, "The authors' network refuses this setting, too.") { Where = key, Expected = "false" };
        }

        if (json.Find("hn_embed_using_source_embeddings")?.AsFlag() == false) throw new CheckpointException(ErrorCodes.ConfigInvalid, "New tokens are embedded from the source's embeddings.") { Where = "hn_embed_using_source_embeddings", Expected = "true" };
        if (json.Find("hn_model_type")?.AsText() is { } kind and not "roberta") throw new CheckpointException(ErrorCodes.ConfigInvalid, "The hypernetwork is a RoBERTa.") { Where = "hn_model_type", Expected = "roberta", Found = kind };
        var hidden = Int("hn_hidden_size", 768);
        return new(
            Int("n_embd", 768), hidden, Int("hn_intermediate_size", 2 * hidden), Int("hn_n_layers", 3), Int("hn_num_attention_heads", hidden / 64), Int("original_vocab_size", 0),
            Math.Max(1, Int("hn_n_extra_tokens", 1)), Int("n_langs", 1), Int("pad_token_id", 1), roberta?.Find("max_position_embeddings")?.AsInt() ?? 514,
            roberta?.Find("layer_norm_eps")?.AsDouble() ?? 1e-5, Flag("separate_out_embeddings"), Flag("hn_single_head"), Flag("hn_rescale_embeddings"), json.Find("hn_predict_bias")?.AsFlag() ?? true, Flag("hn_embed_lang_id"), Flag("hn_concat_last_hidden_state"));
    }

    /// <summary>Width of the source table: input rows, with output rows beside them when they are separate.</summary>
    public int SourceWidth => SeparateOutputs ? 2 * Width : Width;
}

/// <summary>Predicts the embeddings of a new vocabulary's tokens from the old embeddings of their pieces.</summary>
internal static class Zett
{
    private const int DefaultLength = 16;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Transplant("zett", "Zero-Shot Tokenizer Transfer", "2405.07883", ["Benjamin Minixhofer", "Edoardo Maria Ponti", "Ivan Vulić"], "bminixhofer/zett", "none stated") with { Layouts = ["transformers: config.json + model.safetensors"] },
        source =>
        {
            var config = ZettConfig.Read(source.Json("config.json"));
            var checkpoint = source.OpenCheckpoint();
            // A network for each length of surface forms; that of the configuration is built now, so that a checkpoint that does not fit is refused when it is opened.
            var networks = new NetworkCache<int>(length => Network.Build(NetworkContext.Of(source, checkpoint), "zett", scope => Build(scope, config, length)));
            _ = networks[source.Json("config.json").Find("hn_surface_maxlen")?.AsInt() ?? DefaultLength];
            return new PaperModel(source).Owns(networks, checkpoint).On("predict", (arguments, cancel) =>
            {
                var forms = arguments.Tensor<long>("target_surface_forms");
                var network = networks[forms.Rank == 2 ? (int)forms.Shape[1] : throw new ModelZooException(ErrorCodes.VerbUnsupported, "Surface forms are a table.") { Where = "target_surface_forms", Expected = "(tokens, pieces)", Found = forms.ToString() }];
                List<(string, Tensor)> inputs = [("target_surface_forms", forms), ("source_embeddings", arguments.Tensor<float>("source_embeddings"))];
                if (config.EmbedLanguage) inputs.Add(("lang_index", arguments.Tensor<long>("lang_index").Reshape(1)));
                var outputs = network.Run(cancel, [.. inputs]);
                var results = new CallResults();
                foreach (var name in network.Session.Outputs.Select(port => port.Name)) results.Add(name, outputs[name]);
                return results;
            });
        });

    // Surface forms (N, L): ids of the old tokenizer's pieces, those past its vocabulary being fallback bytes.
    private static void Build(Scope hypernet, ZettConfig config, int length)
    {
        var g = hypernet.Graph;
        var forms = g.Input("target_surface_forms", ElementType.Int64, [Dim.Symbol("N"), length]);
        var source = g.Input("source_embeddings", [Dim.Symbol("V"), config.SourceWidth]);
        var isFallback = forms.GreaterOrEqual(g.Constant([(long)config.SourceVocabulary]));
        var known = source.Gather(forms.Min(g.Constant([config.SourceVocabulary - 1L])));                        // (N, L, E)
        if (config.Rescale) known = Rescale(hypernet["in_scaler"], known, config.SourceWidth);
        var fallback = hypernet["fallback_embeddings"].Embedding((forms - config.SourceVocabulary).Max(g.Constant([0L])), config.ExtraTokens, config.SourceWidth);
        var x = isFallback.Unsqueeze(-1).Where(fallback, known);
        x = Projector(hypernet["input_projection"][1], hypernet["input_projection"][0].Linear(x, config.Hidden), config);
        var mask = (forms - config.PadToken).Cast(ElementType.Bool).Cast(ElementType.Int64);

        var roberta = hypernet["model"];
        var positions = roberta["embeddings.position_embeddings"].Weight("weight", config.Positions, config.Hidden);
        var type = roberta["embeddings.token_type_embeddings"].Weight("weight", 1, config.Hidden);                // (1, D)
        if (config.EmbedLanguage)
        {
            // The language stands behind the pieces; what every position gets is taken off beforehand.
            var language = hypernet["lang_embeddings"].Embedding(g.Input("lang_index", ElementType.Int64, [1]), config.Languages, config.Hidden)
                - type - positions.Slice(0, length, length + 1);
            x = ValueShape.Concat(1, x, language.Unsqueeze(0).Expand(x.Shape[0], 1, config.Hidden));
            mask = ValueShape.Concat(1, mask, g.Constant([1L]).Reshape(1, 1).Expand(x.Shape[0], 1));
        }

        g.Output("projected_inputs", x);
        x = roberta["embeddings.LayerNorm"].LayerNorm(x + type + positions.Take(0, x.Shape[1]), config.NormEpsilon);
        var padding = AttentionMasks.Padding(mask);
        for (var i = 0; i < config.Layers; i++) x = Layer(roberta["encoder.layer"][i], x, padding, config);
        g.Output("hidden", x);

        var first = config.ConcatLast ? x.Flatten(1) : x.At(1, 0);                                                // (N, D)
        var outputs = config.SingleHead ? config.SourceWidth : config.Width;
        var predicted = hypernet["output_projection"][1].Linear(Projector(hypernet["output_projection"][0], first, config), outputs);
        var inner = config.SingleHead ? predicted.Take(1, config.Width) : predicted;
        g.Output("embeddings_in", config.Rescale ? Rescale(hypernet["scaler"], inner, config.Width) : inner);
        if (config.SeparateOutputs)
        {
            var outer = config.SingleHead ? predicted.From(1, config.Width)
                : hypernet["output_projection_out"][1].Linear(Projector(hypernet["output_projection_out"][0], first, config), config.Width);
            g.Output("embeddings_out", config.Rescale ? Rescale(hypernet["out_scaler"], outer, config.Width) : outer);
        }

        g.Output("bias", config.PredictBias ? hypernet["bias_projection"].Linear(first, 1).Squeeze(-1) : first.At(1, 0) * 0f);      // (N)
    }

    // RoBERTa's layer: normalisation after each branch.
    private static Value Layer(Scope layer, Value x, Value padding, ZettConfig config)
    {
        var self = layer["attention.self"];
        var seen = AttentionLayers.Attention(self["query"].Linear(x, config.Hidden), self["key"].Linear(x, config.Hidden), self["value"].Linear(x, config.Hidden), new() { Heads = config.Heads, Bias = padding });
        x = layer["attention.output.LayerNorm"].LayerNorm(layer["attention.output.dense"].Linear(seen, config.Hidden) + x, config.NormEpsilon);
        var wide = layer["intermediate.dense"].Linear(x, config.Intermediate).Gelu();
        return layer["output.LayerNorm"].LayerNorm(layer["output.dense"].Linear(wide, config.Hidden) + x, config.NormEpsilon);
    }

    private static Value Projector(Scope block, Value x, ZettConfig config)
    {
        var h = block["dense2"].Linear(block["dense1"].Linear(x, config.Intermediate).Gelu(Gelu.Tanh), x.Shape[-1].Size).Gelu(Gelu.Tanh);
        return block["ln"].LayerNorm(h + x, 1e-6);
    }

    private static Value Rescale(Scope scaler, Value x, int width) => scaler.Weight("w", 1, width) * x + scaler.Weight("b", 1, width);
}
