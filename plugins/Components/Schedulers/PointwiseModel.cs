using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Components.Schedulers;

/// <summary>The smallest model that depends on sample and time: out = W x + b + t (timestep / scale), per position; stands for a network where samplers are verified.</summary>
/// <param name="weight">(out, in).</param>
/// <param name="bias">(out).</param>
/// <param name="time">(out).</param>
/// <param name="scale">What the timestep is divided by.</param>
internal sealed class PointwiseModel(float[] weight, float[] bias, float[] time, float scale)
{
    /// <summary>Channels that it gives.</summary>
    public int Channels(int channels, bool learned) => learned ? Math.Max(bias.Length, channels) : bias.Length;

    /// <summary>Reads <c>model.weight</c>, <c>model.bias</c> and <c>model.time</c>.</summary>
    public static PointwiseModel Read(string path, float scale)
    {
        var tensors = TensorArchive.Read(path);
        return new(Values("model.weight"), Values("model.bias"), Values("model.time"), scale);

        float[] Values(string name) => tensors.TryGetValue(name, out var tensor)
            ? tensor.As<float>().Span.ToArray()
            : throw new CheckpointException(ErrorCodes.CheckpointTensorMissing, "The checkpoint lacks a tensor.") { Where = $"{path}: {name}" };
    }

    /// <summary>The output at a timestep. Where a variance is learned, its half of the channels goes through tanh.</summary>
    public void Run(ReadOnlySpan<float> x, SampleShape shape, float timestep, bool learned, Span<float> result)
    {
        var (given, taken) = (bias.Length, shape.Channels);
        for (var n = 0; n < shape.Batch; n++)
        {
            for (var o = 0; o < given; o++)
            {
                var row = result.Slice((n * given + o) * shape.Inner, shape.Inner);
                row.Fill(bias[o]);
                for (var i = 0; i < taken; i++)
                {
                    var (factor, input) = (weight[o * taken + i], (n * taken + i) * shape.Inner);
                    for (var p = 0; p < row.Length; p++) row[p] += factor * x[input + p];
                }

                foreach (ref var value in row)
                {
                    value += time[o] * (timestep / scale);
                    if (learned && o >= taken) value = MathF.Tanh(value);
                }
            }
        }
    }
}
