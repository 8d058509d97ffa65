// The mathematics of the explorers. Tests compare it with the package.

export const LIMITS = { classes: [2, 6], temperature: [0.1, 100], logit: 1000 };

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const largest = (values) => Math.max(...values.map(Math.abs));
const centred = (values) => values.map((value) => value - sum(values) / values.length);

export function softmax(logits, temperature = 1) {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - highest) / temperature));
  return powers.map((power) => power / sum(powers));
}

// 1 - q_i as the sum of the others, which keeps its digits where q_i is near 1.
const others = (q) => q.map((_, i) => sum(q.filter((_, j) => j !== i)));

// The Jacobian of q = softmax(z/T) in z.
export function jacobian(q, T = 1) {
  const rest = others(q);
  return q.map((_, i) => q.map((_, j) => (q[i] * (i === j ? rest[i] : -q[j])) / T));
}

// The terms of the chain rule, (-t_i / q_i) J_ij with the q_i cancelled: row i, column j.
export function chainRuleTerms(q, t, T = 1) {
  const rest = others(q);
  return q.map((_, i) => q.map((_, j) => (t[i] * (i === j ? -rest[i] : q[j])) / T));
}

export const columnSums = (matrix) => matrix[0].map((_, j) => sum(matrix.map((row) => row[j])));
export const diagonal = (matrix) => matrix.map((row, i) => row[i]);

// The gradient of the loss in z, for targets that sum to one.
export const gradient = (q, t, T = 1) => q.map((_, i) => (q[i] - t[i]) / T);

export function compute({ z, v, T }) {
  const C = z.length;
  const q = softmax(z, T);
  const p = softmax(v, T);
  const right = gradient(q, p, T);
  return {
    q,
    p,
    jacobian: jacobian(q, T),
    gradients: {
      right,
      diagonal: diagonal(chainRuleTerms(q, p, T)),
      inverseSquare: q.map((_, i) => (q[i] - p[i]) / T ** 2),
      uncentred: z.map((_, i) => (z[i] - v[i]) / (C * T ** 2)),
    },
    scaled: right.map((value) => T ** 2 * value),
    limit: centred(z).map((value, i) => (value - centred(v)[i]) / C),
  };
}

// The logit that gives class i the probability q_i, the other logits held.
export function logitFor(probability, i, z) {
  const rest = z.filter((_, j) => j !== i);
  const highest = Math.max(...rest);
  const logOfSum = highest + Math.log(sum(rest.map((value) => Math.exp(value - highest))));
  return logOfSum + Math.log(probability / (1 - probability));
}

// Targets with t_i as given; the others share what is left as they did before.
export function withTarget(share, i, t) {
  const rest = sum(t.filter((_, j) => j !== i));
  return t.map((value, j) => {
    if (j === i) return share;
    return (1 - share) * (rest > 1e-9 ? value / rest : 1 / (t.length - 1));
  });
}

// Four decimals, or three digits and a power of ten for what is small.
export function format(value) {
  const size = Math.abs(value);
  let text = "0";
  if (size >= 9.995e-4) text = value.toFixed(size >= 1000 ? 1 : 4);
  else if (size >= 1e-12) text = value.toExponential(2);
  return text.replaceAll("-", "\u2212");
}

// Two decimals, and no sign before a zero.
export const short = (value) => (Math.round(100 * value) / 100 + 0).toFixed(2).replace("-", "\u2212");
