// From LLMs to Actions: Latent Codes as Bridges in Hierarchical Robot Control. Shentu, Wu, Rajeswaran, Abbeel. arXiv:2405.04798. No public code: as the specification beside the parity case says.
// Published layouts: none; config.json + model.safetensors. Deviations: the paper's low-level policies are others; pictures come as features that were projected already.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;

namespace ModelZoo.Plugins.Motion;

/// <summary>The whole: language model, bridge, policy.</summary>
public sealed record LcbConfig
{
    /// <summary>The language model.</summary>
    public LlamaConfig Llm { get; init; } = new();
    /// <summary>Id of the token whose state becomes the goal.</summary>
    public int ActTokenId { get; init; } = 32000;
    /// <summary>Id in whose place the picture's features are put.</summary>
    public int ImageTokenId { get; init; } = -200;
    /// <summary>Width of the goal.</summary>
    [Range(1, 65536)] public int GoalDim { get; init; } = 512;
    /// <summary>Width of an observation token.</summary>
    [Range(1, 65536)] public int ObsDim { get; init; } = 512;
    /// <summary>Number of observation tokens.</summary>
    [Range(1, 65536)] public int ObsTokens { get; init; } = 16;
    /// <summary>Width of the policy.</summary>
    [Range(1, 65536)] public int PolicyWidth { get; init; } = 256;
    /// <summary>Number of the policy's heads.</summary>
    [Range(1, 1024)] public int PolicyHeads { get; init; } = 8;
    /// <summary>Number of the policy's blocks.</summary>
    [Range(1, 1024)] public int PolicyDepth { get; init; } = 4;
    /// <summary>Numbers of an action.</summary>
    [Range(1, 1024)] public int ActionDim { get; init; } = 2;
    /// <summary>Actions of a chunk.</summary>
    [Range(1, 1024)] public int Horizon { get; init; } = 1;
    /// <summary>Steps of control from one question to the language model to the next.</summary>
    [Range(1, 1_000_000)] public int LlmPeriod { get; init; } = 1;
}

/// <summary>The two levels.</summary>
internal static class LcbNetwork
{
    /// <summary>Embeddings (1, N, d) to scores of the next token (1, V), the last state (1, d) and the goal that it stands for (1, g).</summary>
    public static (Value Logits, Value State, Value Goal) HighLevel(Scope model, Value embeddings, LcbConfig config)
    {
        var state = Llama.Decode(model["llm"], embeddings, config.Llm).Last(1, 1).Squeeze(1);
        return (Llama.Logits(model, state, config.Llm, "llm"), state, model["act_proj"].Linear(state, config.GoalDim));
    }

    /// <summary>observation (B, P, o), goal (B, g) -> actions (B, horizon, action).</summary>
    public static Value LowLevel(Scope policy, Value observation, Value goal, LcbConfig config)
    {
        var width = config.PolicyWidth;
        var seen = policy["obs_proj"].Linear(observation, width) + policy.Weight("obs_pos", config.ObsTokens, width);
        var x = ValueShape.Concat(1, policy["goal_proj"].Linear(goal, width).Unsqueeze(1), seen);                              // (B, 1 + P, w)
        for (var i = 0; i < config.PolicyDepth; i++)
        {
            var block = policy["blocks"][i];
            x += block["attn"].SelfAttention(block["norm1"].LayerNorm(x), config.PolicyHeads);
            // The specification leaves the hidden width to the tensors.
            x += block["mlp"].Mlp(block["norm2"].LayerNorm(x), block.ShapeOf("mlp.fc1.weight")[0], h => h.Gelu());
            policy.Stage($"policy_block_{i}", x);
        }

        return policy["head"].Linear(policy["norm"].LayerNorm(x).At(1, 0), config.ActionDim * config.Horizon).Reshape(x.Shape[0], config.Horizon, config.ActionDim);
    }
}

/// <summary>A robot's policy in two levels that run at different rates.</summary>
public sealed class LcbModel : IModel, IReferenceCalls
{
    private readonly LcbConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly Network _high, _low;

    private LcbModel(LcbConfig config, Checkpoint checkpoint, NetworkContext context)
    {
        (_config, _checkpoint) = (config, checkpoint);
        _high = Network.Build(context, "lcb language model", scope => HighLevel(scope, config));
        _low = Network.Build(context, "lcb policy", scope => LowLevel(scope, config));
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "motion/lcb",
            Paper = "From LLMs to Actions: Latent Codes as Bridges in Hierarchical Robot Control",
            ArXiv = "2405.04798",
            Authors = ["Yide Shentu", "Philipp Wu", "Aravind Rajeswaran", "Pieter Abbeel"],
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tensors],
            Layouts = ["specification: config.json + model.safetensors"],
            Deviations = "Implemented from a specification, since no code is public; the low-level policy is the specification's.",
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Sum(tensor => Tensor.Count([.. tensor.Shape])),
        MappedBytes = _high.Session.Memory.MappedBytes + _low.Session.Memory.MappedBytes,
        PrivateBytes = _high.Session.Memory.PrivateBytes + _low.Session.Memory.PrivateBytes,
        Digests = _checkpoint.DigestsAsync,
    };

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "high_level":
                var answer = await AskAsync(arguments.Tensor<long>("input_ids"), arguments.Tensor<float>("image_features"), arguments.Literal<int>("max_new_tokens"), cancel).ConfigureAwait(false);
                return new CallResults().Add("generated_ids", Tensor.Create(answer.Ids, 1, answer.Ids.Length)).Add("last_logits", answer.Logits).Add("act_hidden", answer.State).Add("goal", answer.Goal);
            case "low_level":
                return (await _low.RunAsync(cancel, ("observation", arguments.Tensor("observation")), ("goal", arguments.Tensor("goal"))).ConfigureAwait(false)).ToResults();
            case "rollout":
                return await RolloutAsync(arguments, cancel).ConfigureAwait(false);
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"LCB has no call '{call}'.") { Expected = "high_level, low_level, rollout" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _high.Dispose();
        _low.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private sealed record Answer(long[] Ids, Tensor<float> Logits, Tensor<float> State, Tensor<float> Goal);

    // The policy acts at every step with the newest goal.
    private async Task<CallResults> RolloutAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (observations, images) = (arguments.Tensor<float>("observations"), arguments.Tensor<float>("image_features"));
        var (steps, goals, actions) = (new List<long>(), new List<Tensor<float>>(), new List<float>());
        for (var n = 0; n < observations.Shape[0]; n++)
        {
            if (n % _config.LlmPeriod == 0)
            {
                var image = images.Slice(steps.Count);
                goals.Add((await AskAsync(arguments.Tensor<long>("input_ids"), image.Reshape([1, .. image.Shape]), arguments.Literal<int>("max_new_tokens"), cancel).ConfigureAwait(false)).Goal);
                steps.Add(n);
            }

            var observation = observations.Slice(n);
            var chunk = (await _low.RunAsync(cancel, ("observation", observation.Reshape([1, .. observation.Shape])), ("goal", goals[^1])).ConfigureAwait(false))["actions"];
            actions.AddRange(chunk.Span[.._config.ActionDim]);
        }

        return new CallResults()
            .Add("llm_steps", Tensor.Create(steps.ToArray(), steps.Count))
            .Add("goals", Tensor.Create(goals.SelectMany(goal => goal.Span.ToArray()).ToArray(), goals.Count, _config.GoalDim))
            .Add("executed_actions", Tensor.Create(actions.ToArray(), observations.Shape[0], _config.ActionDim));
    }

    // Text until the action token, which is put there when the model does not; its state is the goal.
    private async Task<Answer> AskAsync(Tensor<long> ids, Tensor<float> image, int most, CancellationToken cancel)
    {
        var given = ids.Slice(0).Span.ToArray();
        var place = Array.IndexOf(given, _config.ImageTokenId);
        if (place < 0) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The instruction has no place for the picture.") { Expected = $"the id {_config.ImageTokenId}" };
        var (before, after, made) = (given[..place], given[(place + 1)..], new List<long>());
        Task<NetworkOutputs> Run()
        {
            long[] rest = [.. after, .. made];
            return _high.RunAsync(cancel, ("before", Tensor.Create(before, 1, before.Length)), ("image", image), ("after", Tensor.Create(rest, 1, rest.Length)));
        }

        Tensor<float>? last = null;
        while (made.Count < most && (made.Count == 0 || made[^1] != _config.ActTokenId))
        {
            last = (await Run().ConfigureAwait(false))["logits"];
            made.Add(System.Numerics.Tensors.TensorPrimitives.IndexOfMax<float>(last.Span));
        }

        if (made.Count == 0 || made[^1] != _config.ActTokenId) made.Add(_config.ActTokenId);
        var final = await Run().ConfigureAwait(false);
        return new([.. made], last ?? final["logits"], final["state"], final["goal"]);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<LcbConfig>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new LcbModel(config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void HighLevel(Scope scope, LcbConfig config)
    {
        var g = scope.Graph;
        Value Words(Value ids) => Llama.Embed(scope["llm"], ids, config.Llm);
        var (before, after) = (g.Input("before", ElementType.Int64, [1, Dim.Symbol("before")]), g.Input("after", ElementType.Int64, [1, Dim.Symbol("after")]));
        var image = g.Input("image", [1, Dim.Symbol("patches"), config.Llm.HiddenSize]);
        var (logits, state, goal) = LcbNetwork.HighLevel(scope, ValueShape.Concat(1, Words(before), image, Words(after)), config);
        g.Output("logits", logits);
        g.Output("state", state);
        g.Output("goal", goal);
    }

    private static void LowLevel(Scope scope, LcbConfig config)
    {
        var observation = scope.Graph.Input("observation", [Dim.Symbol("batch"), config.ObsTokens, config.ObsDim]);
        scope.Graph.Output("actions", LcbNetwork.LowLevel(scope["policy"], observation, scope.Graph.Input("goal", [Dim.Symbol("batch"), config.GoalDim]), config));
    }
}
