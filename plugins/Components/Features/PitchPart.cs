using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>The YIN pitch estimator.</summary>
internal static class PitchPart
{
    public static ModelArchitecture Architecture { get; } = ComputedPart.Architecture("components/yin-pitch", "YIN, a fundamental frequency estimator for speech and music", "NVIDIA/mellotron", Modality.Tensors, ("pitch", Pitch));

    private static CallResults Pitch(CallArguments arguments)
    {
        var audio = arguments.Tensor<float>("audio");
        var yin = new YinPitch(arguments.Literal<int>("sample_rate"), arguments.Literal("window", 512), arguments.Literal("hop", 256), arguments.Literal("f0_min", 100.0), arguments.Literal("f0_max", 500.0), arguments.Literal("threshold", 0.1));
        var rows = audio.Span.ToArray().Chunk((int)audio.Shape[^1]).Select(row => yin.Estimate(row)).ToList();
        return new CallResults().Add("pitch", Matrix(r => r.Pitch)).Add("harmonic_rate", Matrix(r => r.HarmonicRate)).Add("argmin_pitch", Matrix(r => r.ArgminPitch));

        Tensor Matrix(Func<(double[] Pitch, double[] HarmonicRate, double[] ArgminPitch), double[]> part) => Tensor.Create(rows.SelectMany(part).ToArray(), rows.Count, part(rows[0]).Length);
    }
}
