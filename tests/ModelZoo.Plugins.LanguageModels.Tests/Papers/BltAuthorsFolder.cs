using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.LanguageModels.Tests;

/// <summary>BLT's committed case as the authors would publish it: their names, their settings, tables apart, the small model in a folder of its own.</summary>
internal static class BltAuthorsFolder
{
    // transformers' names, the other way round than its converter takes them.
    private static readonly (string Theirs, string Authors)[] Names =
    [
        (".self_attn.", ".attention."), (".mlp.", ".feed_forward."), (".input_layernorm.", ".attention_norm."), (".post_attention_layernorm.", ".ffn_norm."), ("embed_tokens.", "tok_embeddings."), (".q_norm.", ".cross_attn_norm_q."),
        (".k_norm.", ".cross_attn_norm_kv."), (".gate_proj.", ".w1."), (".down_proj.", ".w2."), (".up_proj.", ".w3."), (".q_proj.", ".wq."), (".k_proj.", ".wk."), (".v_proj.", ".wv."), (".o_proj.", ".wo."),
    ];

    /// <summary>Writes it to a new folder.</summary>
    /// <param name="window">Bytes that a byte sees.</param>
    public static string Write(int window)
    {
        var @case = ParityCasesAttribute.Find(BltModel.Architecture.Card.Id, shared: false)[0];
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(@case.CheckpointFolder!, "config.json")))!.AsObject();
        var (model, small) = (new Dictionary<string, Tensor>(), new Dictionary<string, Tensor>());
        foreach (var (name, tensor) in TensorArchive.Read(Path.Combine(@case.CheckpointFolder!, "model.safetensors")))
        {
            var authors = Names.Aggregate(Regex.Replace(name, "^model\\.", ""), (text, pair) => text.Replace(pair.Theirs, pair.Authors, StringComparison.Ordinal));
            if (name.StartsWith("model.patcher.", StringComparison.Ordinal)) small[authors["patcher.".Length..].Replace("lm_head.", "output.", StringComparison.Ordinal)] = tensor;
            else if (name == "lm_head.weight") model["local_decoder.output.weight"] = tensor;
            else if (name == "model.encoder_hash_tok_embedding.weight") Split((Tensor<float>)tensor, (int)config["encoder_hash_byte_group_vocab"]!, model);
            else model[authors] = tensor;
        }

        var folder = Directory.CreateTempSubdirectory("blt-authors").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "entropy_model"));
        Inference.SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), model);
        Inference.SafetensorsWriter.Write(Path.Combine(folder, "entropy_model", "model.safetensors"), small);
        WriteSettings(folder, config, window);
        return folder;
    }

    private static void Split(Tensor<float> fused, int rows, Dictionary<string, Tensor> model)
    {
        var width = (int)fused.Shape[1];
        for (var i = 0; i < fused.Shape[0] / rows; i++) model[$"encoder_hash_tok_embedding.{i}.weight"] = Tensor.Create(fused.Span.Slice(i * rows * width, rows * width).ToArray(), rows, width);
    }

    // Feed-forward widths follow from the others: 12 and 20 are 0.45 of 8/3 of 8 and 16, as the next multiple of 4.
    private static void WriteSettings(string folder, JsonObject config, int window)
    {
        int Of(string part, string key) => (int)config[part]![key]!;
        var args = new JsonObject
        {
            ["vocab_size"] = 260, ["dim_global"] = Of("global_config", "hidden_size"), ["dim_local_encoder"] = Of("encoder_config", "hidden_size"), ["dim_local_decoder"] = Of("decoder_config", "hidden_size"),
            ["n_layers_global"] = 1, ["n_layers_local_encoder"] = 1, ["n_layers_local_decoder"] = 1, ["n_heads_global"] = 2, ["n_heads_local_encoder"] = 2, ["n_heads_local_decoder"] = 2, ["cross_attn_nheads"] = 2,
            ["cross_attn_k"] = 2, ["cross_attn_all_layers_decoder"] = true, ["cross_attn_encoder"] = true, ["cross_attn_decoder"] = true, ["cross_attn_init_by_pooling"] = true, ["local_attention_window_len"] = window,
            ["encoder_hash_byte_group_size"] = "3,4,5", ["encoder_hash_byte_group_vocab"] = (int)config["encoder_hash_byte_group_vocab"]!, ["encoder_hash_byte_group_nb_functions"] = 1, ["norm_eps"] = 1e-5, ["rope_theta"] = 500000.0,
            ["multiple_of"] = 4, ["ffn_dim_multiplier"] = 0.45, ["max_seqlen"] = 4096, ["patching_mode"] = "entropy",
        };
        var patcher = new JsonObject { ["threshold"] = (double)config["patching_threshold"]!, ["patch_size"] = 4.5 };
        var small = new JsonObject { ["vocab_size"] = 260, ["dim"] = Of("patcher_config", "hidden_size"), ["n_layers"] = 1, ["n_heads"] = 2, ["max_seqlen"] = 8192, ["multiple_of"] = 4, ["ffn_dim_multiplier"] = 0.5 };
        File.WriteAllText(Path.Combine(folder, "config.json"), new JsonObject { ["args"] = args }.ToJsonString());
        File.WriteAllText(Path.Combine(folder, "train_args.json"), new JsonObject { ["data"] = new JsonObject { ["patcher_args"] = patcher } }.ToJsonString());
        File.WriteAllText(Path.Combine(folder, "entropy_model", "params.json"), new JsonObject { ["entropy_model"] = small }.ToJsonString());
    }
}
