// ImageFolder: Autoregressive Image Generation with Folded Tokens. Li, Qiu, Chen, Kuen, Gu, Raj, Lin. arXiv:2410.01756. github.com/lxa9867/ImageFolder: models/var.py
// Published layout: the tokenizer's *.pt (key model) + var's ar-ckpt*.pth or var*.pth + config.json with the sections tokenizer and var. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Options of ImageFolder's generator.</summary>
public sealed record ImageFolderVarOptions : PictureOptions
{
    /// <summary>Guidance of the last scale.</summary>
    [Description("Classifier-free guidance at the last scale; it grows from none at the first."), Range(0.0, 100.0)] public double Guidance { get; init; } = 3.5;
    /// <summary>Ids that a place may take.</summary>
    [Description("Keep the k most probable ids of each branch; 0 for all."), Range(0, 1 << 24)] public int TopK { get; init; } = 900;
    /// <summary>Mass of the ids that a place may take.</summary>
    [Description("Keep the most probable ids of each branch up to this mass; 0 for all."), Range(0.0, 1.0)] public double TopP { get; init; } = 0.95;
    /// <summary>Whether the branches are drawn together.</summary>
    [Description("Draw the ids of both branches at once from the product of their distributions.")] public bool JointSample { get; init; }
}

/// <summary>ImageFolder's generator: VAR whose every place holds a code of meaning and one of detail.</summary>
public sealed class ImageFolderVarModel : ImageGenerator<ImageFolderVarOptions>
{
    // Exponential numbers (B, places, ids) of a branch for the places of a scale.
    private delegate Tensor<float> Exponentials(int branch, int scale, int start, int places, int ids);

    private readonly VarConfig _var;
    private readonly ImageFolderConfig _tokenizer;
    private readonly NextScale _scales;
    private readonly PictureNetwork _decoder;
    private readonly float[][] _tables;

    private ImageFolderVarModel(ModelSource source, Checkpoint checkpoint, VarConfig var, ImageFolderConfig tokenizer, PictureNetwork decoder) : base(source, checkpoint, SampleSpace.Latents, decoder)
    {
        (_var, _tokenizer, _decoder) = (var, tokenizer, decoder);
        _scales = new(NetworkContext.Of(source, checkpoint), var, tokenizer.ProductQuant * tokenizer.CodebookSize, tokenizer.ProductQuant * tokenizer.CodebookEmbedDim, Contribution);
        _tables = [.. Branches.Select(branch => WeightConversion.ToFloat32(checkpoint.Get($"{(tokenizer.ProductQuant > 1 ? $"quantizes.{branch}" : "quantize")}.embedding.weight")).Span<float>().ToArray())];
        checkpoint.ThrowIfUnused(@"^(encoder|quant_conv|semantic_model|detail_model|sem_linear|empty_emb)\.", @"ema_vocab_hit_SV$", @"lvl1LC$", @"codebook_used$", @"^lvl_1L$", @"^attn_bias_for_masking$", @"zero_k_bias$", MultiScaleQuantizer.Spare);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/imagefolder-var",
            Paper = "ImageFolder: Autoregressive Image Generation with Folded Tokens",
            ArXiv = "2410.01756",
            Authors = ["Xiang Li", "Kai Qiu", "Hao Chen", "Jason Kuen", "Jiuxiang Gu", "Bhiksha Raj", "Zhe Lin"],
            Repository = "lxa9867/ImageFolder",
            CodeLicense = "Adobe Research License (non-commercial)",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: tokenizer *.pt + var *.pth + config.json"],
            Sizes = [new("qiuk6/XQ-GAN: VAR-d17-MSVR10P2-4096", 375_258_593, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_scales];

    private IEnumerable<int> Branches => Enumerable.Range(0, _tokenizer.ProductQuant);

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call != "autoregressive_infer_cfg") throw Unsupported(call, "autoregressive_infer_cfg");
        var labels = arguments.Tensor<long>("labels").Span.ToArray();
        var options = new ImageFolderVarOptions
        {
            Guidance = arguments.Literal("cfg", 1.5),
            TopK = arguments.Literal("top_k", 0),
            TopP = arguments.Literal("top_p", 0.0),
            JointSample = arguments.Literal("joint_sample", false),
        };
        // Of a joint draw there is one series of numbers, over pairs of ids.
        Tensor<float>[] given = [.. Branches.Take(options.JointSample ? 1 : _tokenizer.ProductQuant).Select(branch => arguments.Tensor<float>($"exponential_{branch}"))];
        var codes = Codes(labels.Length);
        var steps = new List<ScaleStep>();
        await foreach (var step in _scales.RunAsync(labels, options.Guidance, (scale, start, logits) => Choose(scale, start, logits, options, Given, codes), cancel).ConfigureAwait(false)) steps.Add(step);
        var results = new CallResults();
        foreach (var (name, tensor) in steps[0].Outputs) results.Add(name, TensorParts.Concat(1, [.. steps.Select(step => step.Outputs[name].As<float>())]));
        foreach (var branch in Branches) results.Add($"codes_{branch}", codes[branch]);
        return results.Add("image", await _decoder.DecodeAsync(steps[^1].Sum, cancel).ConfigureAwait(false));

        Tensor<float> Given(int branch, int scale, int start, int places, int ids) => given[branch].Part(1, start, start + places);
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, ImageFolderVarOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _var.NumClasses, options.Count);
        if (options.JointSample && _tokenizer.ProductQuant != 2) throw new OptionsException(ErrorCodes.OptionRange, "Only two branches are drawn together.") { Where = "joint_sample", Found = _tokenizer.ProductQuant.ToString() };
        Draw[] draws = [.. Branches.Select(branch => Draws.Exponential(seed, labels.Length, branch))];
        var codes = Codes(labels.Length);
        var scales = _var.PatchNums.Length;
        await foreach (var step in _scales.RunAsync(labels, options.Guidance, (scale, start, logits) => Choose(scale, start, logits, options, Drawn, codes), cancel).ConfigureAwait(false))
            yield return new(step.Scale + 1, scales, step.Scale == scales - 1 ? step.Sum : null);

        Tensor<float> Drawn(int branch, int scale, int start, int places, int ids)
        {
            var numbers = Tensor.Zeros<float>(labels.Length, places, ids);
            draws[branch](scale, numbers.Span);
            return numbers;
        }
    }

    // Draws as PyTorch's multinomial does: the largest p / q.
    private Tensor<float> Choose(int scale, int start, Tensor<float> logits, ImageFolderVarOptions options, Exponentials exponentials, Tensor<long>[] codes)
    {
        var (batch, places, ids, width) = ((int)logits.Shape[0], (int)logits.Shape[1], _tokenizer.CodebookSize, _tokenizer.CodebookEmbedDim);
        var entries = Tensor.Zeros<float>(batch, places, _tokenizer.ProductQuant * width);
        Tensor<float>[] numbers = options.JointSample ? [exponentials(0, scale, start, places, ids * ids)] : [.. Branches.Select(branch => exponentials(branch, scale, start, places, ids))];
        for (var i = 0; i < batch * places; i++)
        {
            var probabilities = Branches.Select(branch => Probabilities(logits.Span.Slice((i * _tokenizer.ProductQuant + branch) * ids, ids), options)).ToArray();
            var chosen = options.JointSample
                ? Joint(probabilities[0], probabilities[1], numbers[0].Span.Slice(i * ids * ids, ids * ids))
                : [.. Branches.Select(branch => Largest(probabilities[branch], numbers[branch].Span.Slice(i * ids, ids)))];
            foreach (var branch in Branches)
            {
                codes[branch].Span[i / places * _var.Places + start + i % places] = chosen[branch];
                _tables[branch].AsSpan(chosen[branch] * width, width).CopyTo(entries.Span[((i * _tokenizer.ProductQuant + branch) * width)..]);
            }
        }

        return entries;
    }

    private static double[] Probabilities(Span<float> logits, ImageFolderVarOptions options)
    {
        NextScale.Truncate(logits, options.TopK, options.TopP);
        return LogitProcessing.Probabilities(logits);
    }

    private static int Largest(double[] probabilities, ReadOnlySpan<float> exponentials)
    {
        var (best, id) = (-1.0, 0);
        for (var i = 0; i < probabilities.Length; i++)
        {
            if (probabilities[i] / exponentials[i] is var value && value > best) (best, id) = (value, i);
        }

        return id;
    }

    private static int[] Joint(double[] first, double[] second, ReadOnlySpan<float> exponentials)
    {
        var (best, pair) = (-1.0, 0);
        for (var i = 0; i < exponentials.Length; i++)
        {
            if (first[i / second.Length] * second[i % second.Length] / exponentials[i] is var value && value > best) (best, pair) = (value, i);
        }

        return [pair / second.Length, pair % second.Length];
    }

    private Tensor<long>[] Codes(int batch) => [.. Branches.Select(_ => Tensor.Zeros<long>(batch, _var.Places))];

    // Each branch's entries through its own quantizer.
    private Value Contribution(Scope root, Value entries, int scale) => ValueShape.Concat(1,
        [.. entries.Chunk(_tokenizer.ProductQuant, 1).Select((part, branch) => ImageFolderNetwork.MultiScale(ImageFolderNetwork.Quantizer(root, branch, _tokenizer), _tokenizer).Contribution(part, scale))]);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        if (source.Parts.Count == 0) source = source with { Parts = [new(PublishedFiles.One(folder, "*.pt"), "model"), new(PublishedFiles.One(folder, "*.pth"))] };
        var tokenizer = PublishedConfig.Read<ImageFolderConfig>(folder, "tokenizer").Value;
        var var = PublishedConfig.Read<VarConfig>(folder, "var").Value with { PatchNums = tokenizer.VPatchNums };
        return Generators.Open(source, checkpoint => new ImageFolderVarModel(source, checkpoint, var, tokenizer, PictureNetwork.Build(NetworkContext.Of(source, checkpoint), "imagefolder/picture",
            scope => ImageFolderNetwork.Decode(scope, scope.Graph.Input("f_hat", [Dim.Symbol("batch"), tokenizer.ProductQuant * tokenizer.CodebookEmbedDim, tokenizer.Side, tokenizer.Side]), tokenizer) * 0.5 + 0.5)));
    }
}
