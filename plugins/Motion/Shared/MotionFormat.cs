using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Motion;

/// <summary>What the numbers of a model's motions mean.</summary>
/// <param name="Features">Numbers of a frame: 263 of HumanML3D, 251 of KIT-ML.</param>
/// <param name="Unit">Frames of a token.</param>
/// <param name="VocabularySizes">Number of ids of each codebook.</param>
/// <param name="Layout">(tokens) or (codebooks, tokens).</param>
internal sealed record MotionFormat(int Features, int Unit, IReadOnlyList<int> VocabularySizes, TokenLayout Layout)
{
    /// <summary>Most frames that the tokenizer takes and gives; null for any number.</summary>
    public int? Longest { get; init; }

    /// <summary>Frames per second.</summary>
    public double FrameRate => Features == 251 ? 12.5 : 20;

    /// <summary>Name of the representation.</summary>
    public string Representation => $"humanml3d-{Features}";

    /// <summary>The motion's frames, (frames, features), made from joints where it is given as these, without those at the end that fill no token.</summary>
    /// <exception cref="MediaException">It is of another representation, too short or too long, or not of finite numbers.</exception>
    public Tensor<float> Frames(Contracts.Motion motion)
    {
        if (Skeleton is { } skeleton && motion.Representation == $"joints-{skeleton.JointsNum}") motion = FromJoints(motion, skeleton);
        // What a file does not say goes by its width.
        if ((motion.Representation != Representation && motion.Representation != $"features-{Features}") || motion.Features.Rank != 2 || motion.Features.Shape[1] != Features)
            throw new MediaException(ErrorCodes.MediaUnsupported, "The model takes motions of another representation.") { Expected = $"{Representation}, (frames, {Features})", Found = $"{motion.Representation}, {motion.Features}" };
        var frames = (int)motion.Features.Shape[0] / Unit * Unit;
        if (frames == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The motion is too short.") { Expected = $"at least {Unit} frames", Found = $"{motion.Features.Shape[0]}" };
        CheckLength(frames);
        var numbers = motion.Features.Memory[..(frames * Features)];
        if (!TensorPrimitives.IsFiniteAll<float>(numbers.Span)) throw new MediaException(ErrorCodes.MediaMalformed, "The motion has numbers that are not finite.") { Where = $"frame {Array.FindIndex(numbers.ToArray(), number => !float.IsFinite(number)) / Features}" };
        return new(numbers, [frames, Features]);
    }

    /// <summary>Refuses more frames than the tokenizer takes and gives.</summary>
    /// <exception cref="MediaException">They are more.</exception>
    public void CheckLength(long frames)
    {
        if (frames > Longest) throw new MediaException(ErrorCodes.MediaUnsupported, "The motion is longer than the model takes.") { Expected = $"at most {Longest} frames", Found = $"{frames}", Remedy = "Cut it into parts." };
    }

    private HumanMl3dSkeleton? Skeleton => Features switch { 263 => HumanMl3dSkeletons.Human, 251 => HumanMl3dSkeletons.Kit, _ => null };

    // HumanML3D's own processing, on the skeleton of the first pose: one frame fewer than poses.
    private Contracts.Motion FromJoints(Contracts.Motion motion, HumanMl3dSkeleton skeleton)
    {
        var (count, joints) = ((int)motion.Features.Shape[0], skeleton.JointsNum);
        if (motion.Features.Rank != 2 || motion.Features.Shape[1] != 3 * joints || count < 2)
            throw new MediaException(ErrorCodes.MediaMalformed, "The positions cannot be taken.") { Expected = $"(at least 2, {3 * joints})", Found = motion.Features.ToString() };
        var poses = Enumerable.Range(0, count).Select(t => Enumerable.Range(0, joints).Select(joint => Vector3D.Read(motion.Features.Slice(t).Span.Slice(3 * joint, 3))).ToArray()).ToArray();
        var offsets = new Vector3D[joints];
        foreach (var chain in skeleton.KinematicChain)
        {
            for (var i = 1; i < chain.Length; i++)
            {
                var rest = skeleton.RawOffsets[chain[i]];
                offsets[chain[i]] = (poses[0][chain[i]] - poses[0][chain[i - 1]]).Length * new Vector3D(rest[0], rest[1], rest[2]);
            }
        }

        var rows = new HumanMl3dFeatures(skeleton).Process(poses, offsets).Features;
        return motion with { Features = Tensor.Create([.. rows.SelectMany(row => row)], rows.Length, Features), Representation = Representation };
    }
}

/// <summary>The data set's mean and deviation of each feature, published beside the weights as <c>mean.npy</c> and <c>std.npy</c>.</summary>
internal sealed class MotionStatistics(float[] mean, float[] deviation)
{
    /// <summary>The statistics of a folder; null when it has none, as the parity cases, whose motions are normalised already.</summary>
    /// <param name="folder">Where they are looked for.</param>
    /// <param name="features">Numbers of a frame; null where it is the statistics that tell.</param>
    /// <exception cref="CheckpointException">A file is missing, or is of other frames.</exception>
    public static MotionStatistics? Find(string folder, int? features = null)
    {
        foreach (var (mean, deviation) in new[] { ("mean.npy", "std.npy"), ("Mean.npy", "Std.npy"), (Path.Combine("meta", "mean.npy"), Path.Combine("meta", "std.npy")) })
        {
            if (File.Exists(Path.Combine(folder, mean)) && Read(Path.Combine(folder, mean), features) is var means) return new(means, Read(Path.Combine(folder, deviation), means.Length));
        }

        return null;
    }

    private static float[] Read(string file, int? features) => Decimals.Read(file) is var numbers && numbers.Length == (features ?? numbers.Length) ? numbers.Span.ToArray()
        : throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The statistics are of other frames.") { Where = file, Expected = $"{features} numbers", Found = numbers.ToString() };

    /// <summary>Mean of each feature.</summary>
    public IReadOnlyList<float> Mean => mean;

    /// <summary>Deviation of each feature.</summary>
    public IReadOnlyList<float> Deviation => deviation;

    /// <summary>Metres to the network's numbers.</summary>
    public Tensor<float> Normalize(Tensor<float> motion) => Map(motion, (value, i) => (value - mean[i]) / deviation[i]);

    /// <summary>The network's numbers to metres.</summary>
    public Tensor<float> Denormalize(Tensor<float> motion) => Map(motion, (value, i) => value * deviation[i] + mean[i]);

    private Tensor<float> Map(Tensor<float> motion, Func<float, int, float> map)
    {
        var result = Tensor.Zeros<float>(motion.Shape);
        for (var i = 0; i < result.Length; i++) result.Span[i] = map(motion.Span[i], i % mean.Length);
        return result;
    }
}
