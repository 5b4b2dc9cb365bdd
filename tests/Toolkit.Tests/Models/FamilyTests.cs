using System.Text.Json.Nodes;
using Toolkit.Checkpoints;
using Toolkit.Models;
using Toolkit.Tests.Models.Naive;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

/// <summary>
/// Families and options that no reference folder has, with random weights, against implementations in plain loops that read the same file and the same
/// checkpoint and share no code with the library; and the contract of every family.
/// </summary>
public sealed class FamilyTests : IDisposable
{
    private const string Llama =
        """ "model_type":"llama","vocab_size":50,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"max_position_embeddings":16""";

    private const string Phi =
        """ "model_type":"phi3","vocab_size":50,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,"pad_token_id":0""";

    private const string Falcon = """ "model_type":"falcon","vocab_size":50,"num_hidden_layers":2""";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("family");

    public static TheoryData<string, string> Models { get; } = new()
    {
        { "llama linear", "{" + Llama + ""","rope_scaling":{"type":"linear","factor":4.0}}""" },
        { "llama dynamic", "{" + Llama + ""","rope_theta":500.0,"rope_scaling":{"type":"dynamic","factor":2.0}}""" },
        { "llama yarn", "{" + Llama + ""","head_dim":16,"rope_parameters":{"rope_type":"yarn","factor":4.0,"rope_theta":10000.0,"original_max_position_embeddings":256}}""" },
        { "llama 3", "{" + Llama + ""","rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}}""" },
        { "llama biases", "{" + Llama + ""","attention_bias":true,"mlp_bias":true,"head_dim":6,"tie_word_embeddings":true}""" },
        {
            "qwen2 window",
            """{"model_type":"qwen2","vocab_size":50,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":4,"use_sliding_window":true,"sliding_window":7,"max_window_layers":1}"""
        },
        {
            "smollm3",
            """{"model_type":"smollm3","vocab_size":50,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":5,"num_attention_heads":4,"num_key_value_heads":2,"rope_theta":2000000.0}"""
        },
        { "phi3", "{" + Phi + ""","sliding_window":11}""" },
        {
            "phi3 longrope, short",
            "{" + Phi + ""","partial_rotary_factor":0.5,"max_position_embeddings":256,"original_max_position_embeddings":64,"rope_scaling":{"type":"su","short_factor":[1.0,1.5,2.0,2.5],"long_factor":[4.0,5.0,6.0,7.0]}}"""
        },
        {
            "gemma2",
            """{"model_type":"gemma2","vocab_size":50,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":3,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":12,"query_pre_attn_scalar":24,"sliding_window":9,"attn_logit_softcapping":5.0,"final_logit_softcapping":3.0}"""
        },
        { "olmo2", """{"model_type":"olmo2","vocab_size":50,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2}""" },
        { "opt", """{"model_type":"opt","vocab_size":50,"hidden_size":32,"ffn_dim":48,"num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":64}""" },
        {
            "opt 350m",
            """{"model_type":"opt","vocab_size":50,"hidden_size":32,"word_embed_proj_dim":20,"do_layer_norm_before":false,"ffn_dim":48,"num_hidden_layers":2,"num_attention_heads":4,"max_position_embeddings":64}"""
        },
        { "falcon 7b", "{" + Falcon + ""","hidden_size":36,"num_attention_heads":3}""" },
        { "falcon 40b", "{" + Falcon + ""","hidden_size":48,"num_attention_heads":6,"num_kv_heads":2,"new_decoder_architecture":true}""" },
        { "falcon 11b", "{" + Falcon + ""","hidden_size":48,"num_attention_heads":6,"num_kv_heads":3,"new_decoder_architecture":true,"num_ln_in_parallel_attn":1}""" },
        { "falcon rw", "{" + Falcon + ""","hidden_size":48,"num_attention_heads":6,"alibi":true,"multi_query":false,"parallel_attn":false,"bias":true}""" },
        { "gpt2 scaled by layer", """{"model_type":"gpt2","vocab_size":50,"n_embd":36,"n_layer":3,"n_head":3,"n_inner":44,"n_positions":64,"scale_attn_by_inverse_layer_idx":true,"activation_function":"relu"}""" },
        { "gpt2 not scaled", """{"model_type":"gpt2","vocab_size":50,"n_embd":32,"n_layer":2,"n_head":4,"n_positions":64,"scale_attn_weights":false}""" },
        {
            "gpt-neox sequential",
            """{"model_type":"gpt_neox","vocab_size":50,"hidden_size":48,"intermediate_size":60,"num_hidden_layers":2,"num_attention_heads":3,"use_parallel_residual":false,"attention_bias":false,"rotary_pct":0.5,"rotary_emb_base":300}"""
        },
        {
            "mixtral window",
            """{"model_type":"mixtral","vocab_size":50,"hidden_size":32,"intermediate_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":1,"num_local_experts":5,"num_experts_per_tok":3,"sliding_window":6,"rope_theta":1000000.0}"""
        },
        {
            "mistral head_dim",
            """{"model_type":"mistral","vocab_size":50,"hidden_size":40,"intermediate_size":24,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":3,"head_dim":10,"sliding_window":1}"""
        },
        {
            "qwen3 tied",
            """{"model_type":"qwen3","vocab_size":50,"hidden_size":32,"intermediate_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":4,"head_dim":6,"tie_word_embeddings":true,"use_sliding_window":false}"""
        },
        { "bloom 6 heads", """{"model_type":"bloom","vocab_size":50,"hidden_size":48,"n_layer":2,"n_head":6}""" },
    };

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Models))]
    public void LogitsAreThoseOfPlainLoops(string name, string json)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Make(json);
        Assert.NotEmpty(name);
        Check(model, json, time: 40);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void TheContractHolds(string name, string json)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Make(json);
        var ids = Ids(2, 40);
        if (name == "llama dynamic")
        {
            // Beyond 16 positions its frequencies depend on the length, so only texts up to there mean the same alone and beside longer ones.
            Assert.NotEqual(0, Tensors.Difference(model.forward(ids).narrow(1, 0, 16), model.forward(ids.narrow(1, 0, 16))));
        }
        else
        {
            FamilyContract.CacheChangesNothing(model, ids);
            FamilyContract.PaddingChangesNothing(model, ids);
        }

        using var loaded = Decoder.Load(_folder.FullName);
        Assert.Equal(model.Config, loaded.Config);
        Assert.Equal(0, Tensors.Difference(model.forward(ids), loaded.forward(ids)));
        FamilyContract.TopologyIsWhole(model);
    }

    [Fact]
    public void LongRopeHasOtherFrequenciesBeyondTheOriginalPositions()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var json = Models.Single(row => row.Data.Item1 == "phi3 longrope, short").Data.Item2;
        using var model = Make(json);
        Check(model, json, time: 70);
        using var cache = model.NewCache(1, 80);
        model.Forward(Ids(1, 64), cache);
        Assert.Contains("from 64 to 65 positions", Assert.Throws<InvalidOperationException>(() => model.Forward(Ids(1, 1), cache)).Message);
        cache.Reset();
        model.Forward(Ids(1, 65), cache);
        model.Forward(Ids(1, 1), cache);

        // A session feeds the whole sequence again and goes on.
        using var session = new Toolkit.Decoding.DecodeSession(model, 80);
        session.Feed([.. Enumerable.Range(0, 60).Select(id => id % 50)]);
        for (var id = 60; id < 70; id++)
        {
            session.Feed([id % 50]);
        }

        var ids = tensor(Enumerable.Range(0, 70).Select(id => (long)(id % 50)).ToArray()).view(1, 70);
        Assert.Equal(70, session.Length);
        Assert.InRange(Tensors.Difference(tensor(session.Logits.ToArray()), model.forward(ids).select(1, -1).view(-1)), 0, 5e-5f);
    }

    [Fact]
    public void ATokenReadsOnlyTheExpertsThatItPassesAndOneRowOfEachTable()
    {
        using var mixtral = Make(
            """{"model_type":"mixtral","vocab_size":50,"hidden_size":32,"intermediate_size":48,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"num_local_experts":5,"num_experts_per_tok":2}""");
        Assert.Equal(mixtral.ParameterBytes - (4.0 * ((49 * 32) + (2 * 3 * 3 * 32 * 48))), mixtral.WeightBytesPerToken, 3);
        using var gpt = Make("""{"model_type":"gpt2","vocab_size":50,"n_embd":32,"n_layer":1,"n_head":4,"n_positions":8}""");
        Assert.Equal(gpt.ParameterBytes - (4.0 * 7 * 32), gpt.WeightBytesPerToken, 3);
        Assert.Equal(2.0 * ((12 * 32 * 32) + (50 * 32)) + (4 * 32 * 4.5), gpt.FlopsPerToken(8), 3);
    }

    [Fact]
    public void WeightsWithoutTheNameOfTheBodyAreRead()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        using var model = Make("""{"model_type":"gpt2","vocab_size":50,"n_embd":32,"n_layer":2,"n_head":4,"n_positions":64,"scale_attn_by_inverse_layer_idx":true}""");
        var bare = model.named_parameters().ToDictionary(p => p.name["transformer.".Length..], p => (Tensor)p.parameter);
        bare["h.0.attn.bias"] = ones(1, 1, 4, 4);
        bare["h.0.attn.masked_bias"] = ones(1);
        Checkpoint.Save(_folder.FullName, bare);
        using var loaded = Decoder.Load(_folder.FullName);
        Assert.Equal(0, Tensors.Difference(model.forward(Ids(2, 9)), loaded.forward(Ids(2, 9))));
        FamilyContract.CacheChangesNothing(model, Ids(2, 30));
    }

    [Fact]
    public void LearnedPositionsEnd()
    {
        using var model = Make("""{"model_type":"gpt2","vocab_size":50,"n_embd":32,"n_layer":1,"n_head":4,"n_positions":8}""");
        using var ids = Ids(1, 9);
        Assert.Contains("learned 8 positions, the sequence has 9", Assert.Throws<InvalidOperationException>(() => model.forward(ids)).Message);
    }

    [Fact]
    public void AMaskOfAnotherShapeSaysSo()
    {
        using var model = Make("{" + Llama + "}");
        using var ids = Ids(2, 9);
        using var mask = ones(2, 8, int64);
        Assert.Contains("the mask has shape (2, 8)", Assert.Throws<ArgumentException>(() => model.Forward(ids, mask, null)).Message);
    }

    private static Tensor Ids(int batch, int time) => arange(batch * time, ScalarType.Int64).mul(7).remainder(50).view(batch, time);

    private void Check(Decoder model, string json, int time)
    {
        var config = JsonNode.Parse(json)!;
        var ids = Ids(1, time);
        using var weights = new NaiveWeights(_folder.FullName);
        var plain = ids.data<long>().ToArray().Select(id => (int)id).ToArray();
        var logits = NaiveDecoder.Logits(config, weights, plain);
        var expected = tensor(logits.SelectMany(row => row.Select(x => (float)x)).ToArray()).view(1, time, -1);
        var error = Tensors.Difference(model.forward(ids), expected);
        TestContext.Current.TestOutputHelper?.WriteLine($"{error:0.0e+0} of {expected.abs().max().item<float>():0.0}");
        Assert.InRange(error, 0, 1e-4f);
    }

    private Decoder Make(string json) => Make(json, _folder.FullName);

    /// <summary>A model of a file, saved, with weights so wide that an error shows.</summary>
    internal static Decoder Make(string json, string folder)
    {
        using var noGradient = no_grad();
        using var generator = new Generator(3); // the global one is shared with tests that run beside this one
        var model = Decoder.Create(DecoderConfig.FromJson((JsonObject)JsonNode.Parse(json)!), seed: 3);
        foreach (var parameter in model.parameters())
        {
            using var scope = NewDisposeScope();
            if (parameter.dim() == 2)
            {
                parameter.mul_(8.ToScalar());
            }
            else
            {
                parameter.add_(randn(parameter.shape, generator: generator), 0.3.ToScalar());
            }
        }

        model.Save(folder);
        return model;
    }
}
