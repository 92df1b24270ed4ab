using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>HumanML3D's motion representation.</summary>
internal sealed class HumanMl3dPart(HumanMl3dSkeleton skeleton) : IModel, IReferenceCalls
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };
    private readonly HumanMl3dFeatures _features = new(skeleton);

    public static ModelArchitecture Architecture { get; } = new(
        ComputedPart.Card("components/humanml3d-features", "Generating Diverse and Natural 3D Human Motions from Text", "EricGuo5513/text-to-motion", Modality.Motion), OpenAsync);

    public ModelFacts Facts { get; } = new();

    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => ValueTask.FromResult(call switch
    {
        "uniform_skeleton" => new CallResults().Add("uniform_positions", Positions([_features.Retarget(Frames(arguments.Tensor<float>("positions")), Joints(arguments.Tensor<float>("target_offsets")))], batched: false)),
        "process_file" => Process(arguments),
        "recover_root_rot_pos" => RecoverRoot(arguments),
        "recover_from_ric" => Recover(arguments, "joints", row => _features.RecoverFromPositions(row)),
        "recover_from_rot" => Recover(arguments, "joints_from_rotation", row => _features.RecoverFromRotations(row, Joints(arguments.Tensor<float>("offsets")))),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, "The part has no such call.") { Found = call },
    });

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static async ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var path = Path.Combine(source.RequireFolder(), "config.json");
        try
        {
            var skeleton = JsonSerializer.Deserialize<HumanMl3dSkeleton>(await File.ReadAllTextAsync(path, cancel).ConfigureAwait(false), Json) ?? throw new JsonException("null");
            return new HumanMl3dPart(skeleton);
        }
        catch (Exception error) when (error is JsonException or IOException)
        {
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "The skeleton cannot be read.", error) { Where = path, Found = error.Message };
        }
    }

    private CallResults Process(CallArguments arguments)
    {
        var (global, local, features) = _features.Process(
            Frames(arguments.Tensor<float>("positions")), Joints(arguments.Tensor<float>("target_offsets")), arguments.Literal<double?>("feet_thre", null));
        return new CallResults().Add("global_positions", Positions([global], batched: false)).Add("local_positions", Positions([local], batched: false))
            .Add("features", Tensor.Create(features.SelectMany(row => row).ToArray(), features.Length, _features.Width));
    }

    private static CallResults RecoverRoot(CallArguments arguments)
    {
        var batch = Batch(arguments.Tensor<float>("features"));
        var (rotations, positions) = (Tensor.Zeros<float>(batch.Count, batch[0].Length, 4), Tensor.Zeros<float>(batch.Count, batch[0].Length, 3));
        for (var i = 0; i < batch.Count; i++)
        {
            var (rotation, position) = HumanMl3dFeatures.RecoverRoot(batch[i]);
            for (var t = 0; t < rotation.Length; t++)
            {
                rotation[t].Write(rotations.Slice(i).Slice(t).Span);
                position[t].Write(positions.Slice(i).Slice(t).Span);
            }
        }

        return new CallResults().Add("root_rotation", rotations).Add("root_position", positions);
    }

    private CallResults Recover(CallArguments arguments, string name, Func<float[][], Vector3D[][]> recover)
    {
        if (arguments.Literal("joints_num", skeleton.JointsNum) != skeleton.JointsNum)
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "The skeleton has another number of joints.") { Where = "joints_num", Expected = skeleton.JointsNum.ToString() };
        return new CallResults().Add(name, Positions([.. Batch(arguments.Tensor<float>("features")).Select(recover)], batched: true));
    }

    private static List<float[][]> Batch(Tensor<float> features) =>
        [.. Enumerable.Range(0, (int)features.Shape[0]).Select(i => features.Slice(i).Span.ToArray().Chunk((int)features.Shape[^1]).ToArray())];

    private static Vector3D[] Joints(Tensor<float> joints) => [.. joints.Span.ToArray().Chunk(3).Select(v => Vector3D.Read(v))];

    private static Vector3D[][] Frames(Tensor<float> positions) => [.. Joints(positions).Chunk((int)positions.Shape[1])];

    private static Tensor Positions(IReadOnlyList<Vector3D[][]> motions, bool batched)
    {
        var values = motions.SelectMany(motion => motion.SelectMany(pose => pose.SelectMany(joint => new[] { joint.X, joint.Y, joint.Z }))).ToArray();
        long[] shape = [motions[0].Length, motions[0][0].Length, 3];
        return batched ? Tensor.Create(values, [motions.Count, .. shape]) : Tensor.Create(values, shape);
    }
}
