using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>Words, a picture and motion tokens to the next motion tokens and actions. Scopes are the authors'.</summary>
internal static class MotoGptNetwork
{
    private const double Dropped = -1e4;

    /// <summary>What stands before the steps: words (B, W, ..), patches and the whole picture, (B, conditions, D), normed.</summary>
    public static Value Conditions(Scope gpt, Value words, Value picture, MotoGptConfig config)
    {
        var width = config.HiddenSize;
        List<Value> parts = [gpt["embed_lang"].Linear(words, width), gpt["embed_patch"].Linear(picture.From(1, 1), width)];
        if (config.ModelVision.UseObsFeature) parts.Add(gpt["embed_img"].Linear(picture.Take(1, 1), width));
        return gpt["embed_ln"].LayerNorm(ValueShape.Concat(1, [.. parts]) + gpt["embed_condition"].Weight("weight", 1, width));
    }

    /// <summary>The steps' own tokens: a query, the motion, queries of actions. ids (B, T, L) -> (B, T tokens, D), normed.</summary>
    public static Value Steps(Scope gpt, Value ids, MotoGptConfig config)
    {
        var (batch, steps, width) = (ids.Shape[0], config.SequenceLength, config.HiddenSize);
        List<Value> parts = [];
        if (config.LatentMotionPred)
        {
            var query = gpt["latent_motion_queries"].Weight("weight", 1, width).Expand(batch, steps, 1, width);
            var motion = ValueShape.Concat(2, query, gpt["embed_latent_motion"].Embedding(ids, config.LatentMotionCodebookSize, width));
            parts.Add(config.UseLatentMotionPosEmbedding ? motion + gpt["embed_latent_motion_pos"].Weight("weight", config.PerLatentMotionLen + 1, width) : motion);
        }

        if (config.ActPred)
        {
            var queries = gpt["action_chunk_queries"].Weight("weight", steps * config.ChunkSize, width) + gpt["action_queries"].Weight("weight", 1, width);
            parts.Add(queries.Reshape(1, steps, config.ChunkSize, width).Expand(batch, steps, config.ChunkSize, width));
        }

        var h = ValueShape.Concat(2, [.. parts]);
        if (config.UseTimestepEmbedding) h += gpt["embed_timestep"].Weight("weight", steps, width).Unsqueeze(1);
        return gpt["embed_ln"].LayerNorm(h.Reshape(batch, steps * config.StepTokens, width));
    }

    /// <summary>GPT-2 without positions. h (B, N, D), mask (B, 1, N, N) -> (B, N, D).</summary>
    public static Value Transformer(Scope transformer, Value h, Value mask, MotoGptConfig.Gpt2 config)
    {
        var (g, length) = (h.Graph, h.Shape[1]);
        var causal = AttentionMasks.Distance(g, length, length).GreaterOrEqual(g.Constant([0L]));                             // (1, 1, N, N)
        var added = (1 - mask.Cast(ElementType.Float32)) * Dropped;
        for (var i = 0; i < config.NLayer; i++)
        {
            var block = transformer["h"][i];
            h += block["attn.c_proj"].LinearInOut(Attend(block, h, causal, added, config), config.NEmbd);
            var inner = block["mlp.c_fc"].LinearInOut(block["ln_2"].LayerNorm(h, config.LayerNormEpsilon), config.NInner ?? 4 * config.NEmbd);
            h += block["mlp.c_proj"].LinearInOut(Activations.Named(config.ActivationFunction)(inner), config.NEmbd);
            if (i == 0) transformer.Stage("block_0", h);
        }

        return transformer["ln_f"].LayerNorm(h, config.LayerNormEpsilon);
    }

    /// <summary>States of the steps (B, T tokens, D) -> scores of the motion's tokens (B, T, L, K), actions of the arm (B, T, chunk, ..) and of the gripper (B, T, chunk, 1).</summary>
    public static void Heads(Scope gpt, Value states, MotoGptConfig config)
    {
        var (g, batch, steps) = (gpt.Graph, states.Shape[0], config.SequenceLength);
        var each = states.Reshape(batch, steps, config.StepTokens, config.HiddenSize);
        if (config.LatentMotionPred) g.Output("latent_motion_logits", gpt["pred_latent_motion_head"].Linear(each.Take(2, config.PerLatentMotionLen), config.LatentMotionCodebookSize, bias: false));
        if (!config.ActPred) return;
        // Two maps without an activation, as published.
        var action = each.Last(2, config.ChunkSize);
        for (var i = 0; i < 2; i++) action = gpt["pred_act_mlps"][i].Linear(action, config.HiddenSize / 2);
        var arm = gpt["pred_arm_act"].Linear(action, (config.ActDim - 1) * (config.PredDiscreteArmAction ? 3 : 1));
        g.Output("arm_actions", config.PredDiscreteArmAction ? arm.Reshape(batch, steps, config.ChunkSize, config.ActDim - 1, 3) : arm);
        g.Output("gripper_actions", gpt["pred_gripper_act"].Linear(action, 1));
    }

    // Scores ahead are replaced, those of hidden keys lowered: rows that see nothing keep the authors' mixture.
    private static Value Attend(Scope block, Value h, Value causal, Value added, MotoGptConfig.Gpt2 config)
    {
        var (q, k, v) = block["attn.c_attn"].LinearInOut(block["ln_1"].LayerNorm(h, config.LayerNormEpsilon), 3L * config.NEmbd).Chunk3();
        var scores = q.SplitHeads(config.NHead).MatMul(k.SplitHeads(config.NHead).Swap(-1, -2)) / Math.Sqrt(config.NEmbd / config.NHead);
        scores = causal.Where(scores, h.Graph.Scalar(ElementType.Float32, Dropped)) + added;
        return scores.Softmax().MatMul(v.SplitHeads(config.NHead)).MergeHeads();
    }
}
